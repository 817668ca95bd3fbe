"""The tests of the Slicer module in the application itself, for those who have one."""
