"""IJK-to-RAS matrices of volumes, and transforms between nodes."""

from __future__ import annotations

from itertools import product

import numpy as np
import slicer
import vtk

_ORTHOGONALITY_TOLERANCE = 1e-4
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
    """
    local = localIJKToRAS(volumeNode)
    toWorld = linearMatrix(transformBetween(volumeNode, None))
    if toWorld is not None and hasOrthogonalAxes(toWorld @ local):
        return toWorld @ local
    return local


def hasOrthogonalAxes(ijkToRAS: np.ndarray) -> bool:
    """Return whether the voxel axes are orthogonal."""
    axes = ijkToRAS[:3, :3] / spacingFromMatrix(ijkToRAS)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() < _ORTHOGONALITY_TOLERANCE)


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
