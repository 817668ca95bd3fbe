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
Box = tuple[tuple[int, int], ...]

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

    def target_range(self, start: int, stop: int) -> tuple[int, int]:
        """Return the range of output voxels that depend on source voxels `start` to `stop`."""
        if self.is_identity:
            return start, stop
        index, _ = self._taps(0, self.size)
        depends = np.flatnonzero((index.max(axis=0) >= start) & (index.min(axis=0) < stop))
        return (int(depends[0]), int(depends[-1]) + 1) if len(depends) else (0, 0)

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
        yield (
            along_axis(along, start, stop),
            resample_box(part, axes, slab_box(axes, along, start, stop)),
        )


def slab_box(axes: Sequence[Axis], along: int, start: int, stop: int) -> Box:
    """Return the box of a slab of the result across the axis `along`, 0 to 2."""
    ends = [(0, axis.size) for axis in axes]
    ends[along] = (start, stop)
    return tuple(ends)


def resample_box(part: Array, axes: Sequence[Axis], box: Box) -> NDArray[np.float32]:
    """Resample a box of the result.

    Args:
        part: (channel, x, y, z), the source voxels `source_range` of each axis.
        axes: of x, y and z.
        box: first voxel in the result and the one after the last, along each axis.

    Returns:
        The box (channel, x, y, z), in the order of axes in memory that `part` has; `part` itself
        if it is float32 and no axis changes.
    """
    result = np.asarray(part, np.float32)
    for index in sorted(range(len(axes)), key=lambda index: -axes[index].scale):
        if not axes[index].is_identity:
            result = _multiply(result, 1 + index, axes[index].matrix(*box[index]))
    return result


def spans(count: int, length: int) -> Iterator[tuple[int, int]]:
    """Split 0 to `count` into ranges of at most `length`."""
    for start in range(0, count, length):
        yield start, min(start + length, count)


def along_axis(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Return the index of a slab of a (channel, x, y, z) array across spatial axis `axis`."""
    return (*[slice(None)] * (1 + axis), slice(start, stop))


def _multiply(array: Array, axis: int, matrix: Array) -> Array:
    """Multiply along an axis by a matrix; keeps the order of axes in memory."""
    order = sorted(range(array.ndim), key=lambda index: -abs(array.strides[index]))
    position = order.index(axis)
    shape = [array.shape[index] for index in order]
    rows, columns = math.prod(shape[:position]), math.prod(shape[position + 1 :])
    flat = np.ascontiguousarray(array.transpose(order)).reshape(rows, shape[position], columns)
    product = flat[:, :, 0] @ matrix.T if columns == 1 else np.matmul(matrix, flat)
    shape[position] = len(matrix)
    return product.reshape(shape).transpose(np.argsort(order))
