"""What the GenSeg module of 3D Slicer is made of: no Qt widgets but in the sections."""

from GenSegSlicerLib.Library import ensureImportable

ensureImportable()  # its modules import GenSegLib, which may lie one folder up
