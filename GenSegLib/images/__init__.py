"""Images and their files, the grids that they lie on, and the way from one to another."""
