"""Invertible transforms between voxel grids: reorientation, crop and padding, resampling.

Axes keep their directions: an oblique image stays oblique, and only `Resample` interpolates.
Arrays are (channel, x, y, z), affines 4x4 RAS in mm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ..label_maps import IGNORE
from .resampling import resample, target_size

Array = NDArray[Any]
Size = tuple[int, int, int]

_POSITIVE = "RAS"
_NEGATIVE = "LPI"
_SPACING_TOLERANCE = 1e-3
_ANNOTATED = 0.49  # of a voxel: half of it but for rounding


class Step(Protocol):
    """One step of a `GridTransform`."""

    @property
    def matrix(self) -> Array:
        """The 4x4 matrix from output to input voxel indices."""

    @property
    def interpolates(self) -> bool:
        """Whether values are interpolated, so that labels must be transformed one-hot."""

    def forward(self, array: Array, outside: float) -> Array:
        """Transform an array; voxels outside the input get the value `outside`."""

    def backward(self, array: Array, outside: float) -> Array:
        """Transform an array back; voxels that were cropped get the value `outside`."""


@dataclass(frozen=True)
class Reorient:
    """Permute and flip axes; `order` gives the input axis of each output axis."""

    order: Size
    flips: tuple[bool, bool, bool]
    size: Size
    interpolates = False

    @property
    def matrix(self) -> Array:
        """See `Step`."""
        matrix = np.zeros((4, 4))
        matrix[3, 3] = 1
        for new, (old, flip, count) in enumerate(zip(self.order, self.flips, self.size)):
            matrix[old, new] = -1 if flip else 1
            matrix[old, 3] = count - 1 if flip else 0
        return matrix

    def forward(self, array: Array, outside: float) -> Array:
        """See `Step`."""
        return self._flip(array.transpose(0, *(1 + axis for axis in self.order)))

    def backward(self, array: Array, outside: float) -> Array:
        """See `Step`."""
        return self._flip(array).transpose(0, *(1 + axis for axis in np.argsort(self.order)))

    def _flip(self, array: Array) -> Array:
        return np.flip(array, tuple(1 + axis for axis, flip in enumerate(self.flips) if flip))


@dataclass(frozen=True)
class CropPad:
    """Extract `size` voxels from `start`, padded where they extend beyond the `source` shape.

    Without padding, the result is a view of the input.
    """

    start: Size
    size: Size
    source: Size
    interpolates = False

    @property
    def matrix(self) -> Array:
        """See `Step`."""
        matrix = np.eye(4)
        matrix[:3, 3] = self.start
        return matrix

    def forward(self, array: Array, outside: float) -> Array:
        """See `Step`."""
        return _crop_pad(array, self.start, self.size, outside)

    def backward(self, array: Array, outside: float) -> Array:
        """See `Step`."""
        return _crop_pad(array, [-start for start in self.start], self.source, outside)


@dataclass(frozen=True)
class Resample:
    """Resample to voxels `scale` times as large, around the same center."""

    scale: tuple[float, float, float]
    size: Size
    source: Size
    interpolates = True

    @property
    def matrix(self) -> Array:
        """See `Step`."""
        matrix = np.diag([*self.scale, 1.0])
        for axis, scale in enumerate(self.scale):
            matrix[axis, 3] = (self.source[axis] - 1) / 2 - scale * (self.size[axis] - 1) / 2
        return matrix

    def forward(self, array: Array, outside: float) -> Array:
        """See `Step`."""
        return resample(array, self.size, self.scale)

    def backward(self, array: Array, outside: float) -> Array:
        """See `Step`."""
        return resample(array, self.source, [1 / scale for scale in self.scale])


@dataclass(frozen=True)
class GridTransform:
    """A sequence of steps from one grid to another."""

    steps: tuple[Step, ...] = ()

    def then(self, step: Step) -> GridTransform:
        """Return the transform followed by one more step."""
        return GridTransform((*self.steps, step))

    def affine(self, source: Array) -> Array:
        """Return the affine of the output grid for that of the input grid."""
        for step in self.steps:
            source = source @ step.matrix
        return source

    def forward(self, array: Array, outside: float = 0.0) -> Array:
        """Transform a (channel, x, y, z) array to the output grid."""
        for step in self.steps:
            array = step.forward(array, outside)
        return array

    def backward(self, array: Array, outside: float = 0.0) -> Array:
        """Transform a (channel, x, y, z) array back to the input grid."""
        for step in reversed(self.steps):
            array = step.backward(array, outside)
        return array

    def forward_label(self, label: Array) -> Array:
        """Transform a (x, y, z) label to the output grid, one-hot where a step interpolates.

        A voxel is `IGNORE` unless the annotated part of what it covers is at least half a voxel of
        the coarser grid, so that single annotated slices are not lost; what lies outside an image
        with ignored voxels is ignored.
        """
        has_ignored = bool((label == IGNORE).any())
        outside = IGNORE if has_ignored else 0
        if not any(step.interpolates for step in self.steps):
            return self.forward(label[np.newaxis], outside)[0]
        values = np.union1d(label, 0)
        fractions = (
            (v, self._covered_fraction(label == v, v == outside)) for v in values if v != IGNORE
        )
        result = argmax_label(fractions, label.dtype)
        if has_ignored:
            steps = (factor for step in self.steps for factor in getattr(step, "scale", ()))
            least = _ANNOTATED / math.prod(max(1.0, factor) for factor in steps)
            result[self._covered_fraction(label != IGNORE, False) < least] = IGNORE
        return result

    def _covered_fraction(self, mask: Array, outside: bool) -> Array:
        """Return the fraction of each voxel of the output grid that a mask (x, y, z) covers."""
        return self.forward(mask[np.newaxis].astype(np.float32), outside)[0]


def plan_reorient(affine: Array, size: Size, orientation: str) -> Reorient:
    """Return the axis permutation and flips that bring an image closest to an orientation.

    Args:
        affine: of the image, 4x4 RAS.
        size: of the image, (x, y, z).
        orientation: the direction of each output axis, such as "RAS".
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    world = [world_axis(code) for code in orientation]
    best = max(
        permutations(range(3)),
        key=lambda order: sum(abs(directions[world[new], old]) for new, old in enumerate(order)),
    )
    flips = [
        bool(directions[world[new], old] < 0) == (orientation[new] in _POSITIVE)
        for new, old in enumerate(best)
    ]
    return Reorient(_three(best), (flips[0], flips[1], flips[2]), _three(size[old] for old in best))


def plan_resample(affine: Array, size: Size, spacing: Sequence[float]) -> Resample | None:
    """Return the resampling to a spacing in mm; None if within 0.1 % of the image's own."""
    own = np.linalg.norm(affine[:3, :3], axis=0)
    scale = np.asarray(spacing) / own
    scale[np.abs(scale - 1) < _SPACING_TOLERANCE] = 1
    if (scale == 1).all():
        return None
    sizes = _three(target_size(*pair) for pair in zip(size, scale))
    return Resample((float(scale[0]), float(scale[1]), float(scale[2])), sizes, size)


def plan_padding(size: Size, multiples: Sequence[int]) -> CropPad:
    """Return the symmetric padding to a multiple of `multiples` along each axis."""
    padded = _three(-(-count // multiple) * multiple for count, multiple in zip(size, multiples))
    start = _three(-((new - old) // 2) for new, old in zip(padded, size))
    return CropPad(start, padded, size)


def full_box(shape: Iterable[int]) -> tuple[slice, ...]:
    """Return the box of all voxels of an array or an image of a shape."""
    return tuple(slice(0, size) for size in shape)


def bounding_box(mask: Array) -> tuple[slice, ...]:
    """Return the box of the voxels that are set; the whole array if none are."""
    if not mask.any():
        return full_box(mask.shape)
    others = [tuple({*range(mask.ndim)} - {axis}) for axis in range(mask.ndim)]
    found = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
    return tuple(slice(int(inside[0]), int(inside[-1]) + 1) for inside in found)


def plan_crop(mask: Array, margin: int) -> CropPad:
    """Return the crop to the bounding box of a (x, y, z) mask plus `margin` voxels.

    An empty mask crops nothing.
    """
    box = bounding_box(mask)
    start = [max(0, part.start - margin) for part in box]
    stop = [min(count, part.stop + margin) for part, count in zip(box, mask.shape)]
    size = _three(end - begin for begin, end in zip(start, stop))
    return CropPad(_three(start), size, _three(mask.shape))


def _three(values: Iterable[int]) -> Size:
    return cast(Size, tuple(int(value) for value in values))


def world_axis(code: str) -> int:
    """Return the anatomical axis, 0 to 2, of a direction code such as "R" or "L"."""
    return (_POSITIVE if code in _POSITIVE else _NEGATIVE).index(code)


def _crop_pad(array: Array, start: Sequence[int], size: Size, outside: float) -> Array:
    """Extract a box of (channel, x, y, z); voxels beyond the array get the value `outside`."""
    source = array.shape[1:]
    low = [max(0, -begin) for begin in start]
    high = [min(n, old - begin) for n, old, begin in zip(size, source, start)]
    box = [slice(a, b) for a, b in zip(low, high)]
    taken = [slice(a + s, b + s) for a, b, s in zip(low, high, start)]
    if not any(low) and tuple(high) == tuple(size):
        return array[(slice(None), *taken)]
    result = np.full((array.shape[0], *size), outside, dtype=array.dtype)
    result[(slice(None), *box)] = array[(slice(None), *taken)]
    return result


def argmax_label(fractions: Iterable[tuple[int, Array]], dtype: np.dtype[Any]) -> Array:
    """Return the value of the largest fraction in each voxel; the first one wins ties."""
    remaining = iter(fractions)
    value, best = next(remaining)
    best = best.copy()
    label = np.full(best.shape, value, dtype=dtype)
    for value, fraction in remaining:
        larger = fraction > best
        label[larger] = value
        np.copyto(best, fraction, where=larger)
    return label
