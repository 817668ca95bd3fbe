"""IJK-to-RAS matrices of volumes, and transforms between nodes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import slicer
import vtk

from GenSegLib.images.nifti_header import ORTHOGONALITY_TOLERANCE

_TOLERANCE_VOXELS = 0.05


def arrayFromMatrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """Convert a VTK matrix to an array of shape (4, 4)."""
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def matrixFromArray(array: np.ndarray) -> vtk.vtkMatrix4x4:
    """Convert an array of shape (4, 4) to a VTK matrix."""
    return slicer.util.vtkMatrixFromArray(np.asarray(array, float))


def localIJKToRAS(volumeNode: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the IJK-to-RAS matrix without parent transform; (0, 0, 0) is the first array voxel."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    start = np.eye(4)
    start[:3, 3] = volumeNode.GetImageData().GetExtent()[::2]
    return arrayFromMatrix(matrix) @ start


def fileIJKToRAS(volumeNode: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the IJK-to-RAS matrix that files of a volume get.

    A parent transform that keeps the axes orthogonal (rigid, reflection, scaling along the axes) is
    applied, so that the file matches the display in Slicer. Other transforms (shear, warp) are
    ignored: image files require orthogonal axes, and resampling would alter the acquired data.

    Images of one slice get the axes that raster files have, wherever they are in space: models
    see them as the slice views show them.
    """
    ijkToRAS = localIJKToRAS(volumeNode)
    toWorld = linearMatrix(transformBetween(volumeNode, None))
    if toWorld is not None and hasOrthogonalAxes(toWorld @ ijkToRAS):
        ijkToRAS = toWorld @ ijkToRAS
    return _flatIJKToRAS(ijkToRAS, sliceAxis(volumeNode)) if isFlat(volumeNode) else ijkToRAS


def isPlacedAt(volumeNode: slicer.vtkMRMLVolumeNode, ijkToRAS: Sequence[float]) -> bool:
    """Return whether files of a volume get a matrix (16 numbers); False if that is empty."""
    if not ijkToRAS:
        return False
    size, other = volumeNode.GetImageData().GetDimensions(), np.reshape(ijkToRAS, (4, 4))
    offset = voxelOffset(fileIJKToRAS(volumeNode), other, size)
    return offset is not None and not offset.any()


def isFlat(volumeNode: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether a volume is a 2-D image: it has one slice."""
    image = volumeNode.GetImageData()
    return image is not None and 1 in image.GetDimensions()


def sliceAxis(volumeNode: slicer.vtkMRMLVolumeNode) -> int:
    """Return the axis (0 to 2) along which a 2-D image has one slice; the last of several."""
    dimensions = volumeNode.GetImageData().GetDimensions()
    return max(axis for axis in range(3) if dimensions[axis] == 1)


def _flatIJKToRAS(ijkToRAS: np.ndarray, axis: int) -> np.ndarray:
    """Return a matrix with the spacing of another, columns to the left and rows to the back."""
    flat = np.eye(4)
    order = [other for other in range(3) if other != axis] + [axis]
    for column, direction, sign in zip(order, range(3), (-1, -1, 1)):
        flat[:, column] = 0
        flat[direction, column] = sign * spacingFromMatrix(ijkToRAS)[column]
    return flat


def hasOrthogonalAxes(ijkToRAS: np.ndarray, tolerance: float = ORTHOGONALITY_TOLERANCE) -> bool:
    """Return whether the voxel axes are orthogonal, by default to the library's tolerance."""
    axes = ijkToRAS[:3, :3] / spacingFromMatrix(ijkToRAS)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() <= tolerance)


def spacingFromMatrix(ijkToRAS: np.ndarray) -> np.ndarray:
    """Return the voxel spacing along i, j and k in mm."""
    return np.linalg.norm(ijkToRAS[:3, :3], axis=0)


def transformBetween(
    source: slicer.vtkMRMLTransformableNode, target: slicer.vtkMRMLTransformableNode | None
) -> vtk.vtkGeneralTransform:
    """Return the transform from a node's local coordinates to another's; None stands for world."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        source.GetParentTransformNode(),
        None if target is None else target.GetParentTransformNode(),
        transform,
    )
    return transform


def linearMatrix(transform: vtk.vtkGeneralTransform) -> np.ndarray | None:
    """Return the matrix of a transform, None if it is not linear."""
    linear = vtk.vtkTransform()
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(transform, linear):
        return None
    return arrayFromMatrix(linear.GetMatrix())


def voxelOffset(
    ijkToRAS: np.ndarray, other: np.ndarray, size: tuple[int, int, int]
) -> np.ndarray | None:
    """Return the index in `other` of the first voxel, None if the voxel grids do not coincide.

    Args:
        ijkToRAS: matrix of an image of `size` voxels.
        other: matrix of the image that may contain it.
        size: number of voxels along i, j and k.
    """
    between = np.linalg.inv(other) @ ijkToRAS
    offset = np.rint(between[:3, 3])
    between[:3, 3] -= offset
    distance = np.abs((between - np.eye(4)) @ cornerIndices(size)).max()
    return offset.astype(int) if distance <= _TOLERANCE_VOXELS else None


def cornerIndices(size: tuple[int, int, int]) -> np.ndarray:
    """Return the homogeneous indices (4, 8) of the corner voxels of an image of `size` voxels."""
    return np.array([[*corner, 1] for corner in product(*((0, n - 1) for n in size))], float).T
