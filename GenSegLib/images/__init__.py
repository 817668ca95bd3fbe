"""Image volumes, their grids and files."""
