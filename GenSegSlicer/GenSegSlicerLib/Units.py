"""Units of lengths and sizes: photos have pixels, and other images millimeters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer

from GenSegLib.images.file_names import is_raster_file
from GenSegLib.images.nrrd_files import is_in_pixels, is_stack_file
from GenSegLib.presets import Preset
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
    """Return "px" for a 2-D image, or a clip, whose file has no spacing, else "mm"."""
    if volumeNode.GetAttribute(UNIT_ATTRIBUTE) == "px":
        return "px"
    storage = volumeNode.GetStorageNode()
    path = Path((storage.GetFileName() if storage is not None else None) or "")
    if not isFlat(volumeNode) and not is_stack_file(path):
        return "mm"
    hasOwnSpacing = not np.allclose(spacingFromMatrix(localIJKToRAS(volumeNode)), 1)
    isRaster = is_raster_file(path) and not hasOwnSpacing
    return "px" if isRaster or is_in_pixels(path) else "mm"


def unitOfInput(volumeNode: slicer.vtkMRMLVolumeNode, preset: Preset) -> str:
    """Return the unit of a file of a volume for a model.

    Models from before files said that lengths are in pixels took these for millimeters.
    """
    return "mm" if preset.unit == "mm" else unitOf(volumeNode)


def areaUnit(unit: str) -> str:
    """Return the unit of areas for a unit of lengths."""
    return "px" if unit == "px" else "mm\N{SUPERSCRIPT TWO}"


def areaOfMl(volumeMl: float, volumeNode: slicer.vtkMRMLVolumeNode) -> float:
    """Convert a volume in a 2-D image, in world coordinates, to the area that it covers."""
    thickness = spacingFromMatrix(fileIJKToRAS(volumeNode))[sliceAxis(volumeNode)]
    return volumeMl * _MM3_IN_ML / float(thickness)
