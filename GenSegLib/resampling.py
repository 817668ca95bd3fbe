"""Separable linear resampling of volumes, without aliasing where voxels grow.

Each axis is resampled by a triangle filter: half its width is one voxel of the coarser grid. That
is linear interpolation where voxels shrink, and an average over the merged ones where they grow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def target_size(count: int, scale: float) -> int:
    """Give how many voxels `scale` times as large cover `count` voxels best; at least one."""
    return max(1, round(count / scale))


def resample(array: Array, size: Sequence[int], scale: Sequence[float]) -> Array:
    """Resample an array about its center.

    Args:
        array: (channel, x, y, z).
        size: voxels of the result, (x, y, z).
        scale: size of the new voxels in old ones, an axis each; values beyond the array are those
            at its border.

    Returns:
        (channel, x, y, z) in float32; an axis with scale 1 and equal size is not touched.
    """
    result = np.asarray(array, dtype=np.float32)
    for axis in sorted(range(len(size)), key=lambda axis: -scale[axis]):
        if scale[axis] != 1 or result.shape[1 + axis] != size[axis]:
            result = _resample_axis(result, 1 + axis, size[axis], scale[axis])
    return result


def _resample_axis(array: Array, axis: int, size: int, scale: float) -> Array:
    index, weight = _taps(array.shape[axis], size, scale)
    shape = [1] * array.ndim
    shape[axis] = size
    result = np.take(array, index[0], axis)
    result *= weight[0].reshape(shape)
    for tap in range(1, len(index)):
        part = np.take(array, index[tap], axis)
        part *= weight[tap].reshape(shape)
        result += part
    return result


def _taps(source: int, size: int, scale: float) -> tuple[Array, Array]:
    """Give the old voxels and their weights for each new voxel of an axis, both (tap, new)."""
    center = scale * (np.arange(size) - (size - 1) / 2) + (source - 1) / 2
    reach = max(1.0, scale)
    first = np.floor(center - reach).astype(int) + 1
    index = first + np.arange(math.ceil(2 * reach))[:, np.newaxis]
    weight = np.clip(1 - np.abs(index - center) / reach, 0, None)
    weight /= weight.sum(axis=0)
    return np.clip(index, 0, source - 1), weight.astype(np.float32)
