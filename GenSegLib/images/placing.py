"""Lays a label onto a grid that it is a part of, voxel for voxel, without resampling.

A DICOM SEG has the slices alone that something is in, and an order of axes of its own; its voxels
are those of its image all the same.
"""

from __future__ import annotations

import numpy as np

from ..errors import GenSegError
from .volumes import SAME_PLACE, Volume, corners


def placed(label: Volume, grid: Volume) -> Volume:
    """Return a label (1, x, y, z) on the grid of another volume; what it does not reach is 0.

    Raises:
        GenSegError: its voxels are no voxels of that grid, or a labeled one lies outside.
    """
    turn, shift = _way(label, grid)
    labeled = np.argwhere(label.array[0])
    there = labeled @ turn.T + shift
    if ((there < 0) | (there >= grid.shape)).any():
        raise GenSegError("it labels voxels outside of its image; is it of another image?")
    array = np.zeros((1, *grid.shape), label.array.dtype)
    array[0][tuple(there.T)] = label.array[0][tuple(labeled.T)]
    return Volume(array, grid.affine)


def covering(one: Volume, other: Volume) -> Volume:
    """Return an empty volume on one's grid, as far as both reach together; raises as `placed`."""
    turn, shift = _way(other, one)
    ends = np.array([corners(one.shape)[[0, -1]], corners(other.shape)[[0, -1]] @ turn.T + shift])
    low, high = ends.min(axis=(0, 1)), ends.max(axis=(0, 1))
    affine = one.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    return Volume(np.zeros((1, *(high - low + 1)), one.array.dtype), affine)


def _way(label: Volume, grid: Volume) -> tuple[np.ndarray, np.ndarray]:
    """Return how a label's indices become the grid's: turned (3, 3), then shifted (3,)."""
    way = np.linalg.inv(grid.affine) @ label.affine
    turn, shift = way[:3, :3].round().astype(int), way[:3, 3].round().astype(int)
    ends = corners(label.shape)
    apart = np.abs(ends @ way[:3, :3].T + way[:3, 3] - ends @ turn.T - shift).max()
    is_permutation = all((np.abs(turn).sum(axis=axis) == 1).all() for axis in (0, 1))
    if not is_permutation or apart > SAME_PLACE:
        raise GenSegError("its voxels are not those of its image; is it of another image?")
    return turn, shift
