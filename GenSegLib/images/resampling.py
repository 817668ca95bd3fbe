"""Separable linear resampling of volumes, without aliasing where voxels grow.

Each axis is resampled by a triangle filter: half its width is one voxel of the coarser grid. That
is linear interpolation where voxels shrink, and an average over the merged ones where they grow.
A volume is resampled slab by slab, so that nothing but the result is held in floating point.
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
    """How one axis of `source` voxels becomes one of `size`, each `scale` old ones large.

    Both grids have the same center; values beyond the old one are those at its border.
    """

    source: int
    size: int
    scale: float

    @property
    def is_kept(self) -> bool:
        """Whether the axis stays as it is."""
        return self.scale == 1 and self.size == self.source

    def reach(self, start: int, stop: int) -> tuple[int, int]:
        """Give the range of old voxels that the new ones from `start` to `stop` are mixed from."""
        if self.is_kept:
            return start, stop
        index, _ = self._taps(start, stop)
        return int(index.min()), int(index.max()) + 1

    def matrix(self, start: int, stop: int) -> Array:
        """Give the weights (new voxel, old voxel within `reach`) in float32."""
        index, weight = self._taps(start, stop)
        first = index.min()
        matrix = np.zeros((stop - start, index.max() + 1 - first), np.float32)
        np.add.at(matrix, (np.arange(stop - start), index - first), weight)
        return matrix

    def _taps(self, start: int, stop: int) -> tuple[Array, Array]:
        """Give the old voxels and their weights for each new voxel, both (tap, new)."""
        new = np.arange(start, stop)
        center = self.scale * (new - (self.size - 1) / 2) + (self.source - 1) / 2
        reach = max(1.0, self.scale)
        first = np.floor(center - reach).astype(int) + 1
        index = first + np.arange(math.ceil(2 * reach))[:, np.newaxis]
        weight = np.clip(1 - np.abs(index - center) / reach, 0, None)
        weight /= weight.sum(axis=0)
        return np.clip(index, 0, self.source - 1), weight.astype(np.float32)


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
    if tuple(size) == array.shape[1:] and all(factor == 1 for factor in scale):
        return np.asarray(array, np.float32)
    result = np.empty((len(array), *size), np.float32)
    for index, slab in resampled_slabs(array, size, scale):
        result[index] = slab
    return result


def resampled_slabs(
    array: Array, size: Sequence[int], scale: Sequence[float]
) -> Iterator[tuple[tuple[slice, ...], NDArray[np.float32]]]:
    """Give what `resample` gives one slab after the other, and the place of each in the result."""
    axes = [Axis(*values) for values in zip(array.shape[1:], size, scale)]
    along = int(np.argmax(array.shape[1:]))
    read = array[0].size / array.shape[1 + along] * axes[along].scale
    per_slice = len(array) * max(read, math.prod(size) / size[along])
    for start, stop in spans(size[along], max(1, int(SLAB_VOXELS / per_slice))):
        part = array[along_axis(along, *axes[along].reach(start, stop))]
        yield along_axis(along, start, stop), resample_slab(part, axes, along, start, stop)


def resample_slab(
    part: Array, axes: Sequence[Axis], along: int, start: int, stop: int
) -> NDArray[np.float32]:
    """Resample what a slab of the result is made from.

    Args:
        part: (channel, x, y, z), the voxels `axes[along].reach(start, stop)` of that axis and all
            of the others.
        axes: of x, y and z.
        along: the axis of the slab, 0 to 2.
        start: first voxel of the slab in the result.
        stop: the one after its last voxel.

    Returns:
        The slab (channel, x, y, z), `stop - start` voxels thick.
    """
    result = np.array(part, np.float32, order="K")
    for index in sorted(range(len(axes)), key=lambda index: -axes[index].scale):
        axis = axes[index]
        ends = (start, stop) if index == along else (0, axis.size)
        if not axis.is_kept:
            result = _multiply(result, 1 + index, axis.matrix(*ends))
    return result


def spans(count: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut 0 to `count` into ranges of `length` or less."""
    for start in range(0, count, length):
        yield start, min(start + length, count)


def along_axis(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Give the index of a slab of a (channel, x, y, z) array, across the spatial axis `axis`."""
    return (*[slice(None)] * (1 + axis), slice(start, stop))


def _multiply(array: Array, axis: int, matrix: Array) -> Array:
    """Multiply an axis by a matrix, in the order in which the array lies in memory."""
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        return _multiply(array.T, array.ndim - 1 - axis, matrix).T
    shape = array.shape
    rows, columns = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    flat = np.ascontiguousarray(array).reshape(rows, shape[axis], columns)
    moved = flat[:, :, 0] @ matrix.T if columns == 1 else np.matmul(matrix, flat)
    return moved.reshape(*shape[:axis], len(matrix), *shape[axis + 1 :])
