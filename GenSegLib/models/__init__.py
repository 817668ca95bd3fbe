"""Model folders: writing, verifying, loading, and exporting to other formats."""
