"""How well predictions match their references."""
