"""Brings class probabilities back to an image's own grid, slab by slab.

The probabilities of a whole image are never held on its own grid: what is made of them (labels,
sums, a map) is made of one slab at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np

from ..images.geometry import Array, Reorient, Resample, Route, Window
from ..images.resampling import SLAB_VOXELS, Axis, along_axis, resample_slab, spans

Slab = tuple[int, int, Array]


class Restorer:
    """The way back of one prepared image.

    Args:
        route: from the image's own grid to the prepared one, as `Preprocessor` plans it: a
            reorientation, perhaps a crop, perhaps a resampling, and a padding.
        along: the axis of the prepared grid that slabs follow each other along.
    """

    def __init__(self, route: Route, along: int) -> None:
        first, *middle, last = route.steps
        assert isinstance(first, Reorient)
        assert isinstance(last, Window)
        self._reorient, self._padding, self._along = first, last, along
        self._crop = next((step for step in middle if isinstance(step, Window)), None)
        resampling = next((step for step in middle if isinstance(step, Resample)), None)
        if resampling is None:
            self._axes = [Axis(count, count, 1.0) for count in last.source]
        else:
            steps = zip(resampling.size, resampling.source, resampling.scale)
            self._axes = [Axis(new, old, 1 / scale) for new, old, scale in steps]

    def view(self, array: Array) -> Array:
        """Give the part of an array (channel, x, y, z) on the image's own grid that slabs fill.

        It is a view in the axes of the prepared grid: what is written to it is in the array.
        Beyond it is what the crop had cut off: background.
        """
        turned = self._reorient.forward(array, 0)
        return turned if self._crop is None else self._crop.forward(turned, 0)

    def restore(self, slabs: Iterable[Slab]) -> Iterator[tuple[tuple[slice, ...], Array]]:
        """Resample slabs of the prepared grid as they come.

        Args:
            slabs: first voxel along the axis, the one after the last, and the probabilities
                (class, x, y, z) between; in order, with nothing left out.

        Yields:
            The place of a restored slab in `view`, and its probabilities (class, x, y, z).
        """
        axis = self._axes[self._along]
        waiting = _Waiting(self._without_padding(slabs), self._along)
        classes, slices = waiting.classes, axis.size
        sizes = [[other.size for other in self._axes], [other.source for other in self._axes]]
        per_slice = classes * max(math.prod(size) for size in sizes) // slices
        for start, stop in spans(slices, max(1, SLAB_VOXELS // per_slice)):
            part = waiting.take(*axis.reach(start, stop))
            shares = resample_slab(part, self._axes, self._along, start, stop)
            yield along_axis(self._along, start, stop), shares

    def _without_padding(self, slabs: Iterable[Slab]) -> Iterator[Slab]:
        inside = [slice(max(0, -first), max(0, -first) + count) for first, count in self._kept()]
        first, count = self._kept()[self._along]
        for start, stop, shares in slabs:
            low, high = max(start + first, 0), min(stop + first, count)
            if low < high:
                inside[self._along] = slice(low - first - start, high - first - start)
                yield low, high, shares[(slice(None), *inside)]

    def _kept(self) -> list[tuple[int, int]]:
        """Give for each axis where the padded grid begins in the unpadded one, and its size."""
        return [*zip(self._padding.start, self._padding.source)]


class _Waiting:
    """The slabs that are still needed."""

    def __init__(self, slabs: Iterator[Slab], along: int) -> None:
        self._slabs, self._along = slabs, along
        self._first, self._end, self._shares = next(slabs)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self._shares)

    def take(self, start: int, stop: int) -> Array:
        """Give the voxels `start` to `stop` along the axis; what lies before is forgotten."""
        while self._end < stop:
            _, self._end, shares = next(self._slabs)
            kept = self._between(start, self._end)
            self._shares = np.concatenate((kept, shares), 1 + self._along)
            self._first = start
        return self._between(start, stop)

    def _between(self, start: int, stop: int) -> Array:
        return self._shares[along_axis(self._along, start - self._first, stop - self._first)]
