"""Separable linear resampling of volumes with antialiasing.

Each axis is resampled by a triangle filter with a half-width of one voxel of the coarser grid:
linear interpolation when upsampling, a weighted average when downsampling. Volumes are processed
slab by slab, so that only the result needs memory in floating point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SLAB_VOXELS = 1 << 23


@dataclass(frozen=True)
class Axis:
    """Resampling of an axis of `source` voxels to `size` voxels, `scale` times as large.

    Both grids have the same center; beyond the source, border values are repeated.
    """

    source: int
    size: int
    scale: float

    @property
    def is_identity(self) -> bool:
        """Whether the axis is unchanged."""
        return self.scale == 1 and self.size == self.source

    def source_range(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range of source voxels that output voxels `start` to `stop` depend on."""
        if self.is_identity:
            return start, stop
        index, _ = self._taps(start, stop)
        return int(index.min()), int(index.max()) + 1

    def matrix(self, start: int, stop: int) -> Array:
        """Return the weights (output voxel, source voxel within `source_range`) in float32."""
        index, weight = self._taps(start, stop)
        first = index.min()
        matrix = np.zeros((stop - start, index.max() + 1 - first), np.float32)
        np.add.at(matrix, (np.arange(stop - start), index - first), weight)
        return matrix

    def _taps(self, start: int, stop: int) -> tuple[Array, Array]:
        """Return source voxels and weights of each output voxel, both (tap, output voxel)."""
        new = np.arange(start, stop)
        center = self.scale * (new - (self.size - 1) / 2) + (self.source - 1) / 2
        reach = max(1.0, self.scale)
        first = np.floor(center - reach).astype(int) + 1
        index = first + np.arange(math.ceil(2 * reach))[:, np.newaxis]
        weight = np.clip(1 - np.abs(index - center) / reach, 0, None)
        weight /= weight.sum(axis=0)
        return np.clip(index, 0, self.source - 1), weight.astype(np.float32)


def target_size(count: int, scale: float) -> int:
    """Return the number of voxels, `scale` times as large, that best covers `count` voxels."""
    return max(1, round(count / scale))


def resample(array: Array, size: Sequence[int], scale: Sequence[float]) -> Array:
    """Resample an array around its center.

    Args:
        array: (channel, x, y, z).
        size: shape of the result, (x, y, z).
        scale: voxel size of the result in source voxels along each axis.

    Returns:
        (channel, x, y, z) in float32.
    """
    if tuple(size) == array.shape[1:] and all(factor == 1 for factor in scale):
        return np.asarray(array, np.float32)
    result = np.empty((len(array), *size), np.float32)
    for index, slab in resampled_slabs(array, size, scale):
        result[index] = slab
    return result


def resampled_slabs(
    array: Array, size: Sequence[int], scale: Sequence[float]
) -> Iterator[tuple[tuple[slice, ...], NDArray[np.float32]]]:
    """Yield the result of `resample` slab by slab, each with its index in the result."""
    axes = [Axis(*values) for values in zip(array.shape[1:], size, scale)]
    along = int(np.argmax(array.shape[1:]))
    read = array[0].size / array.shape[1 + along] * axes[along].scale
    per_slice = len(array) * max(read, math.prod(size) / size[along])
    for start, stop in spans(size[along], max(1, int(SLAB_VOXELS / per_slice))):
        part = array[along_axis(along, *axes[along].source_range(start, stop))]
        yield along_axis(along, start, stop), resample_slab(part, axes, along, start, stop)


def resample_slab(
    part: Array, axes: Sequence[Axis], along: int, start: int, stop: int
) -> NDArray[np.float32]:
    """Resample one slab of the result.

    Args:
        part: (channel, x, y, z), the source voxels `axes[along].source_range(start, stop)`.
        axes: of x, y and z.
        along: axis across which the slab is cut, 0 to 2.
        start: first voxel of the slab in the result.
        stop: end of the slab in the result.

    Returns:
        The slab (channel, x, y, z), `stop - start` voxels thick.
    """
    result = np.array(part, np.float32, order="K")
    for index in sorted(range(len(axes)), key=lambda index: -axes[index].scale):
        axis = axes[index]
        ends = (start, stop) if index == along else (0, axis.size)
        if not axis.is_identity:
            result = _multiply(result, 1 + index, axis.matrix(*ends))
    return result


def spans(count: int, length: int) -> Iterator[tuple[int, int]]:
    """Split 0 to `count` into ranges of at most `length`."""
    for start in range(0, count, length):
        yield start, min(start + length, count)


def along_axis(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Return the index of a slab of a (channel, x, y, z) array across spatial axis `axis`."""
    return (*[slice(None)] * (1 + axis), slice(start, stop))


def _multiply(array: Array, axis: int, matrix: Array) -> Array:
    """Multiply along an axis by a matrix; keeps C or Fortran memory layout."""
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return _multiply(array.T, array.ndim - 1 - axis, matrix).T
    shape = array.shape
    rows, columns = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    flat = np.ascontiguousarray(array).reshape(rows, shape[axis], columns)
    product = flat[:, :, 0] @ matrix.T if columns == 1 else np.matmul(matrix, flat)
    return product.reshape(*shape[:axis], len(matrix), *shape[axis + 1 :])
