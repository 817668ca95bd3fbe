"""Voxel grids in MRML: matrices and the transforms between nodes.

A *grid matrix* leads from array indices (i, j, k) to RAS millimeters.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import slicer
import vtk

_RIGHT_ANGLE = 1e-4
_OF_A_VOXEL = 0.05


def arrayFromMatrix(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    """The elements of a matrix, shape (4, 4)."""
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def matrixFromArray(array: np.ndarray) -> vtk.vtkMatrix4x4:
    """A matrix of the elements, shape (4, 4)."""
    return slicer.util.vtkMatrixFromArray(np.asarray(array, float))


def localGrid(volumeNode: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """The grid matrix of a volume before its parent transform, from the array's own first voxel."""
    matrix = vtk.vtkMatrix4x4()
    volumeNode.GetIJKToRASMatrix(matrix)
    start = np.eye(4)
    start[:3, 3] = volumeNode.GetImageData().GetExtent()[::2]
    return arrayFromMatrix(matrix) @ start


def fileGrid(volumeNode: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """The grid matrix that a volume's files get.

    A parent transform that keeps right angles (rigid, mirroring, scaling along the axes) counts,
    so that the file lies where Slicer shows the volume. Any other (shear, warp) is left off: image
    files can only have right angles, and resampling would change what was acquired.
    """
    local = localGrid(volumeNode)
    toWorld = linearMatrix(transformBetween(volumeNode, None))
    if toWorld is not None and hasRightAngles(toWorld @ local):
        return toWorld @ local
    return local


def hasRightAngles(grid: np.ndarray) -> bool:
    """Whether the axes of a grid are perpendicular to each other."""
    axes = grid[:3, :3] / spacingOf(grid)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() < _RIGHT_ANGLE)


def spacingOf(grid: np.ndarray) -> np.ndarray:
    """The distance of neighboring voxels along i, j and k in mm."""
    return np.linalg.norm(grid[:3, :3], axis=0)


def transformBetween(
    source: slicer.vtkMRMLTransformableNode, target: slicer.vtkMRMLTransformableNode | None
) -> vtk.vtkGeneralTransform:
    """The transform from a node's own coordinates to another's; to those of the world for None."""
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        source.GetParentTransformNode(),
        None if target is None else target.GetParentTransformNode(),
        transform,
    )
    return transform


def linearMatrix(transform: vtk.vtkGeneralTransform) -> np.ndarray | None:
    """The matrix of a transform, None where it is not linear."""
    linear = vtk.vtkTransform()
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(transform, linear):
        return None
    return arrayFromMatrix(linear.GetMatrix())


def voxelShift(
    grid: np.ndarray, other: np.ndarray, size: tuple[int, int, int]
) -> np.ndarray | None:
    """Where the first voxel of `grid` is in `other`, None where the grids do not coincide.

    Args:
        grid: matrix of the grid that has `size` voxels along i, j and k.
        other: matrix of the grid it may be part of.
        size: of the first one.
    """
    between = np.linalg.inv(other) @ grid
    shift = np.rint(between[:3, 3])
    between[:3, 3] -= shift
    apart = np.abs((between - np.eye(4)) @ cornersOf(size)).max()
    return shift.astype(int) if apart <= _OF_A_VOXEL else None


def cornersOf(size: tuple[int, int, int]) -> np.ndarray:
    """The indices (4, 8), homogeneous, of the corner voxels of a grid of `size` voxels."""
    return np.array([[*corner, 1] for corner in product(*((0, n - 1) for n in size))], float).T
