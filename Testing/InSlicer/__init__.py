"""Runs the tests of the Slicer module in a real 3D Slicer."""
