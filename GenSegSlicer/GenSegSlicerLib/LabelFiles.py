"""Reading of label files into the geometry of the segmented volume."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import LARGEST_LABEL
from GenSegSlicerLib.Geometry import cornerIndices, localIJKToRAS, matrixFromArray
from GenSegSlicerLib.ImageFiles import readImage
from GenSegSlicerLib.ScalarTypes import supportedVoxels
from GenSegSlicerLib.Segments import voxelsOf

_TOLERANCE_VOXELS = 0.05


def readLabelImage(
    path: Path, volumeNode: slicer.vtkMRMLScalarVolumeNode, ijkToRAS: np.ndarray
) -> slicer.vtkOrientedImageData:
    """Read a label file into the local coordinates of a volume, without its parent transform.

    If the file has the voxels of the volume, in any order of the axes, the image gets exactly the
    geometry of the volume, so that rounding in file headers does not accumulate.

    Args:
        path: path of the label volume.
        volumeNode: the segmented volume.
        ijkToRAS: IJK-to-RAS matrix of the volume's file.

    Raises:
        GenSegError: the file cannot be read, or is not a label volume.
    """
    node = slicer.vtkMRMLLabelMapVolumeNode()
    readImage(node, path)
    voxels = _requireLabelValues(path, voxelsOf(node.GetImageData()))
    toVolume = np.linalg.inv(ijkToRAS) @ localIJKToRAS(node)
    size = volumeNode.GetImageData().GetDimensions()
    reoriented = _reoriented(voxels, toVolume, size)
    if reoriented is None:
        return orientedImage(voxels, localIJKToRAS(volumeNode) @ toVolume)
    return orientedImage(reoriented, localIJKToRAS(volumeNode))


def orientedImage(voxels: np.ndarray, ijkToRAS: np.ndarray) -> slicer.vtkOrientedImageData:
    """Create an image of voxels (k, j, i), without copying contiguous ones of a supported type."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(voxels.shape[::-1])
    contiguous = np.ascontiguousarray(supportedVoxels(voxels))
    image.GetPointData().SetScalars(numpy_to_vtk(contiguous.ravel()))
    image.SetGeometryFromImageToWorldMatrix(matrixFromArray(ijkToRAS))
    return image


def _requireLabelValues(path: Path, voxels: np.ndarray) -> np.ndarray:
    if voxels.size == 0:
        raise GenSegError(_("{path}: the image has no voxels").format(path=path))
    low, high = voxels.min(), voxels.max()
    valid = low >= 0 and high <= LARGEST_LABEL
    if voxels.dtype.kind == "f":
        valid = valid and bool((voxels == np.rint(voxels)).all())
    if not valid:
        raise GenSegError(
            _("{path}: not a label volume: values are not integers from 0 to {largest}").format(
                path=path, largest=LARGEST_LABEL
            )
        )
    return voxels if voxels.dtype.kind in "iu" else voxels.astype(np.int16)


def _reoriented(
    voxels: np.ndarray, toVolume: np.ndarray, size: tuple[int, int, int]
) -> np.ndarray | None:
    """Voxels (k, j, i) in the axis order of the volume, None if the voxel grids differ.

    Readers may flip axes; Slicer's makes all geometries right-handed.
    """
    axes = np.rint(toVolume[:3, :3])
    if not (np.abs(axes).sum(axis=0) == 1).all() or not (np.abs(axes).sum(axis=1) == 1).all():
        return None
    source = np.abs(axes).argmax(axis=1)  # axis of the file along each axis of the volume
    signs = axes[range(3), source]
    length = np.array(voxels.shape[::-1])[source]
    if tuple(length) != tuple(size):
        return None
    exact = np.eye(4)
    exact[:3, :3] = axes
    exact[:3, 3] = np.where(signs < 0, length - 1, 0)
    if np.abs((toVolume - exact) @ cornerIndices(voxels.shape[::-1])).max() > _TOLERANCE_VOXELS:
        return None
    flips = tuple(slice(None, None, int(sign)) for sign in signs)
    return voxels.T.transpose(source)[flips].T
