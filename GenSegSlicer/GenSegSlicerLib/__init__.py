"""Implementation of the GenSeg module; only the sections of the panel use Qt widgets."""

from GenSegSlicerLib.Library import ensureImportable

ensureImportable()  # GenSegLib may be one folder up
