"""Channels of volumes: components of vector images, without the transparency of photos."""

from __future__ import annotations

import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from GenSegSlicerLib.Segments import voxelsOf


def channelCount(volumeNode: slicer.vtkMRMLVolumeNode) -> int:
    """Return the number of channels; the transparency of RGBA images is none."""
    image = volumeNode.GetImageData()
    return 3 if hasTransparency(image) else int(image.GetNumberOfScalarComponents())


def hasTransparency(image: vtk.vtkImageData) -> bool:
    """Return whether an image has colors and transparency in 8 bits each."""
    isBytes = image.GetScalarType() == vtk.VTK_UNSIGNED_CHAR
    return bool(isBytes and image.GetNumberOfScalarComponents() == 4)


def withoutTransparency(image: vtk.vtkImageData) -> vtk.vtkImageData:
    """Return an RGB copy of an RGBA image, and other images as they are."""
    if not hasTransparency(image):
        return image
    copy = image.NewInstance()
    copy.ShallowCopy(image)
    colors = voxelsOf(image)[..., :3].reshape(-1, 3)
    copy.GetPointData().SetScalars(numpy_to_vtk(colors, deep=True))
    return copy
