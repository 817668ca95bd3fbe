"""Reads label files into the grid of the volume that was segmented."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import LARGEST_LABEL
from GenSegSlicerLib.Geometry import cornersOf, localGrid, matrixFromArray
from GenSegSlicerLib.ImageFiles import readImage
from GenSegSlicerLib.Segments import voxelsOf

_OF_A_VOXEL = 0.05


def readLabelImage(
    path: Path, volumeNode: slicer.vtkMRMLScalarVolumeNode, grid: np.ndarray
) -> slicer.vtkOrientedImageData:
    """Read a label file into the coordinates of a volume before its parent transform.

    Where the file has the voxels of the volume, in whatever order of the axes, the image has
    exactly the grid of the volume: the rounding of file formats does not add up.

    Args:
        path: of the label volume.
        volumeNode: the volume that was segmented.
        grid: the grid matrix that the volume's file has.

    Raises:
        GenSegError: the file cannot be read, or is no label volume.
    """
    node = slicer.vtkMRMLLabelMapVolumeNode()
    readImage(node, path)
    voxels = _wholeNumbers(path, voxelsOf(node.GetImageData()))
    toVolume = np.linalg.inv(grid) @ localGrid(node)
    size = volumeNode.GetImageData().GetDimensions()
    turned = _turned(voxels, toVolume, size)
    if turned is None:
        return orientedImage(voxels, localGrid(volumeNode) @ toVolume)
    return orientedImage(turned, localGrid(volumeNode))


def orientedImage(voxels: np.ndarray, grid: np.ndarray) -> slicer.vtkOrientedImageData:
    """An image of voxels (k, j, i), not copied where they are contiguous."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(voxels.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(voxels).ravel()))
    image.SetGeometryFromImageToWorldMatrix(matrixFromArray(grid))
    return image


def _wholeNumbers(path: Path, voxels: np.ndarray) -> np.ndarray:
    if voxels.size == 0:
        raise GenSegError(_("{path}: no voxels are in this file").format(path=path))
    low, high = voxels.min(), voxels.max()
    sound = low >= 0 and high <= LARGEST_LABEL
    if voxels.dtype.kind == "f":
        sound = sound and bool((voxels == np.rint(voxels)).all())
    if not sound:
        raise GenSegError(
            _("{path}: not a label volume, its values are not whole numbers from 0").format(
                path=path
            )
        )
    return voxels if voxels.dtype.kind in "iu" else voxels.astype(np.int16)


def _turned(
    voxels: np.ndarray, toVolume: np.ndarray, size: tuple[int, int, int]
) -> np.ndarray | None:
    """The voxels (k, j, i) in the volume's own order of axes, None where they are not its own.

    Readers may turn axes round, such as that of Slicer, which makes grids right-handed.
    """
    axes = np.rint(toVolume[:3, :3])
    if not (np.abs(axes).sum(axis=0) == 1).all() or not (np.abs(axes).sum(axis=1) == 1).all():
        return None
    source = np.abs(axes).argmax(axis=1)  # which axis of the file runs along each of the volume's
    signs = axes[range(3), source]
    length = np.array(voxels.shape[::-1])[source]
    if tuple(length) != tuple(size):
        return None
    exact = np.eye(4)
    exact[:3, :3] = axes
    exact[:3, 3] = np.where(signs < 0, length - 1, 0)
    if np.abs((toVolume - exact) @ cornersOf(voxels.shape[::-1])).max() > _OF_A_VOXEL:
        return None
    turned = voxels.T.transpose(source)[tuple(slice(None, None, int(sign)) for sign in signs)]
    return turned.T
