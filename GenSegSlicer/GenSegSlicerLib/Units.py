"""Units of lengths and sizes: photos have pixels, and other images millimeters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer

from GenSegLib.images.file_names import is_raster_file
from GenSegSlicerLib.Geometry import (
    fileIJKToRAS,
    isFlat,
    localIJKToRAS,
    sliceAxis,
    spacingFromMatrix,
)

UNIT_ATTRIBUTE = "GenSeg.Unit"
_MM3_IN_ML = 1000


def unitOf(volumeNode: slicer.vtkMRMLVolumeNode) -> str:
    """Return "px" for a 2-D image whose file has no spacing, else "mm"."""
    if not isFlat(volumeNode):
        return "mm"
    storage = volumeNode.GetStorageNode()
    path = storage.GetFileName() if storage is not None else None
    isRaster = path is not None and is_raster_file(Path(path))
    hasOwnSpacing = not np.allclose(spacingFromMatrix(localIJKToRAS(volumeNode)), 1)
    isMarked = volumeNode.GetAttribute(UNIT_ATTRIBUTE) == "px"
    return "px" if isMarked or (isRaster and not hasOwnSpacing) else "mm"


def areaUnit(unit: str) -> str:
    """Return the unit of areas for a unit of lengths."""
    return "px" if unit == "px" else "mm\N{SUPERSCRIPT TWO}"


def areaOfMl(volumeMl: float, volumeNode: slicer.vtkMRMLVolumeNode) -> float:
    """Convert a volume in a 2-D image, in world coordinates, to the area that it covers."""
    thickness = spacingFromMatrix(fileIJKToRAS(volumeNode))[sliceAxis(volumeNode)]
    return volumeMl * _MM3_IN_ML / float(thickness)
