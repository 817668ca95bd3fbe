"""Voxel types that all filters, writers and renderers of Slicer support.

VTK is compiled without support for 64-bit integers in many filters: resampling such an image ends
Slicer. Writers do not know signed 8-bit integers.
"""

from __future__ import annotations

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from GenSegSlicerLib.Segments import voxelsOf

_INT32 = np.iinfo(np.int32)


def supportedVoxels(voxels: np.ndarray) -> np.ndarray:
    """Return voxels with the same values in a supported type; the array itself if it has one."""
    if voxels.dtype == np.int8:
        return voxels.astype(np.int16)
    if voxels.dtype.kind not in "iu" or voxels.dtype.itemsize < 8:
        return voxels
    fits = voxels.size == 0 or (voxels.min() >= _INT32.min and voxels.max() <= _INT32.max)
    return voxels.astype(np.int32 if fits else np.float64)


def withSupportedScalars(image: vtk.vtkImageData) -> vtk.vtkImageData:
    """Return an image, or a copy of it in a supported voxel type."""
    voxels = voxelsOf(image)
    supported = supportedVoxels(voxels)
    if supported is voxels:
        return image
    copy = image.NewInstance()
    copy.ShallowCopy(image)
    copy.GetPointData().SetScalars(numpy_to_vtk(supported.reshape(-1, *supported.shape[3:])))
    return copy
