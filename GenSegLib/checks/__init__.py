"""Whether cases can be learned from: checks of each, and of all together."""
