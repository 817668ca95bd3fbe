"""Inverts the preprocessing of class probabilities slab by slab.

The probabilities of a whole image are never stored on its own grid: labels, sums and maps are
computed from one slab at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..images.geometry import Array, CropPad, GridTransform, Reorient, Resample
from ..images.resampling import SLAB_VOXELS, Axis, along_axis, resample_box, slab_box, spans
from .resampled_label import resampled_label

Slab = tuple[int, int, Array]
Index = tuple[slice, ...]

_LABEL_VOXELS = 1 << 20  # of the slabs of labels: their probabilities stay in the CPU's caches


class SlabInverter:
    """Maps slabs of a preprocessed image back to the image's own grid.

    Args:
        transform: from the image's own grid to the preprocessed one, as `Preprocessor` plans it: a
            reorientation, an optional crop, an optional resampling, and a padding.
        along: the axis of the preprocessed grid along which slabs follow each other.
    """

    def __init__(self, transform: GridTransform, along: int) -> None:
        first, *middle, last = transform.steps
        assert isinstance(first, Reorient)
        assert isinstance(last, CropPad)
        self._reorient, self._padding, self._along = first, last, along
        self._crop = next((step for step in middle if isinstance(step, CropPad)), None)
        resampling = next((step for step in middle if isinstance(step, Resample)), None)
        if resampling is None:
            self._axes = [Axis(count, count, 1.0) for count in last.source]
        else:
            steps = zip(resampling.size, resampling.source, resampling.scale)
            self._axes = [Axis(new, old, 1 / scale) for new, old, scale in steps]

    def view(self, array: Array) -> Array:
        """Return the part of an array (channel, x, y, z) on the image's grid that slabs cover.

        The result is a view in the axes of the preprocessed grid: writing to it writes to the
        array. Voxels outside were cropped away and are background.
        """
        reoriented = self._reorient.forward(array, 0)
        return reoriented if self._crop is None else self._crop.forward(reoriented, 0)

    def invert(self, slabs: Iterable[Slab]) -> Iterator[tuple[Index, Array]]:
        """Resample slabs of the preprocessed grid as they arrive.

        Args:
            slabs: first voxel along the axis, the one after the last, and the probabilities
                (class, x, y, z) between; contiguous and in order.

        Yields:
            The index of an inverted slab in `view`, and its probabilities (class, x, y, z).
        """
        for start, stop, part in self._parts(slabs, SLAB_VOXELS, dense=True):
            box = slab_box(self._axes, self._along, start, stop)
            yield along_axis(self._along, start, stop), resample_box(part, self._axes, box)

    def invert_labels(
        self, slabs: Iterable[Slab], values: Sequence[int]
    ) -> Iterator[tuple[Index, Array]]:
        """Yield the labels of what `invert` yields, without the voxels that are background anyway.

        Args:
            slabs: see `invert`.
            values: label value of each class, background first.

        Yields:
            The index of a box in (x, y, z) of `view`, and its label values.
        """
        for start, stop, part in self._parts(slabs, _LABEL_VOXELS, dense=False):
            box = slab_box(self._axes, self._along, start, stop)
            found = resampled_label(part, self._axes, box, values)
            if found is not None:
                yield found

    def _parts(
        self, slabs: Iterable[Slab], voxels: int, dense: bool
    ) -> Iterator[tuple[int, int, Array]]:
        """Yield ranges of the inverted axis and the probabilities that they depend on.

        Args:
            slabs: see `invert`.
            voxels: largest number of values of an inverted slab; of all classes if `dense`.
            dense: whether all classes are inverted.
        """
        axis = self._axes[self._along]
        buffer = _SlabBuffer(self._without_padding(slabs), self._along)
        sizes = [[other.size for other in self._axes], [other.source for other in self._axes]]
        per_slice = max(math.prod(size) for size in sizes) // axis.size
        per_slice *= buffer.classes if dense else 1
        for start, stop in spans(axis.size, max(1, voxels // per_slice)):
            yield start, stop, buffer.take(*axis.source_range(start, stop))

    def _without_padding(self, slabs: Iterable[Slab]) -> Iterator[Slab]:
        # for each axis: the start of the padded grid in the unpadded one, and the latter's size
        bounds = [*zip(self._padding.start, self._padding.source)]
        inside = [slice(max(0, -first), max(0, -first) + count) for first, count in bounds]
        first, count = bounds[self._along]
        for start, stop, probabilities in slabs:
            low, high = max(start + first, 0), min(stop + first, count)
            if low < high:
                inside[self._along] = slice(low - first - start, high - first - start)
                yield low, high, probabilities[(slice(None), *inside)]


class _SlabBuffer:
    """The slabs that are still needed."""

    def __init__(self, slabs: Iterator[Slab], along: int) -> None:
        self._slabs, self._along = slabs, along
        self._first, self._end, self._buffer = next(slabs)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self._buffer)

    def take(self, start: int, stop: int) -> Array:
        """Return the voxels `start` to `stop` along the axis and drop those before them."""
        while self._end < stop:
            _, self._end, following = next(self._slabs)
            needed = self._between(start, self._end)
            self._buffer = np.concatenate((needed, following), 1 + self._along)
            self._first = start
        return self._between(start, stop)

    def _between(self, start: int, stop: int) -> Array:
        return self._buffer[along_axis(self._along, start - self._first, stop - self._first)]
