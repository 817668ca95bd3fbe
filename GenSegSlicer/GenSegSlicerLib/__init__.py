"""What the GenSeg module of 3D Slicer is made of: no Qt widgets but in the sections."""
