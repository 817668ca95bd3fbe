"""Sliding-window inference that returns an image's class probabilities slab by slab.

Window results are accumulated in a slab as thick as one window, so that memory does not grow with
the length of the image. MONAI's `sliding_window_inference` returns the probabilities of the whole
image, even with `buffer_steps`: on 512x512x300 voxels and 3 classes it needed 1.8 GB in addition to
the image (buffer_steps=1, 54 s on one core; 2.0 GB and 39 s with 4), this module 0.9 GB (55 s).

Windows overlap by half and are weighted by a Gaussian (Isensee et al., Nat Methods 2021,
doi:10.1038/s41592-020-01008-z).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from monai.data.utils import compute_importance_map
from numpy.typing import NDArray
from torch import Tensor

from ..presets import Preset
from .ensemble import EnsemblePredictor

Slab = tuple[int, int, Tensor]
_OVERLAP = 0.5
_MAX_GROWTH = 4  # of a window that covers a slice, over the patch
SEEN_WINDOWS = 12  # from which features of a whole image are computed; a CT has hundreds
_MAX_SLICES, _MAX_VOXELS = 16, 1 << 18  # of a window of a 2-D network
_STEPS = 0.7549, 0.5698  # whose multiples modulo 1 are spread evenly over a square (Roberts, 2018)


@dataclass(frozen=True)
class SlidingWindows:
    """The windows over an image, in rows that follow each other along one axis.

    Args:
        size: size of the image in voxels.
        patch_size: size of a window; a smaller image is padded symmetrically.
        along: the axis along which the rows follow each other.
        slice_wise: the last axis is that of slices, which are segmented by themselves: windows
            are stacks of them that do not overlap along it.
        context: neighboring slices on either side that a window's input has in addition.
    """

    size: tuple[int, ...]
    patch_size: tuple[int, ...]
    along: int = 0
    slice_wise: bool = False
    context: int = 0

    @classmethod
    def for_preset(cls, preset: Preset, size: Sequence[int]) -> SlidingWindows:
        """Return the windows over an image (x, y, z) that a preset's model segments.

        Rows follow each other along the longest axis, or along that of the slices.
        """
        size = tuple(size)
        if preset.spatial_dims == len(size):
            return cls(size, preset.patch_size, size.index(max(size)))
        most = max(1, min(_MAX_SLICES, _MAX_VOXELS // math.prod(preset.patch_size)))
        stacks = -(-size[-1] // most)
        patch_size = (*preset.patch_size, -(-size[-1] // stacks))
        return cls(size, patch_size, len(size) - 1, True, preset.context_slices)

    def over_whole_slices(self) -> SlidingWindows:
        """Return windows that cover slices as a whole; these ones where slices are much larger.

        Preprocessed slices have a size that fully convolutional networks accept.
        """
        size, patch = self.size[:-1], self.patch_size[:-1]
        fits = math.prod(size) <= _MAX_GROWTH * math.prod(patch)
        if not self.slice_wise or not fits or all(map(operator.le, size, patch)):
            return self
        edges = (max(pair) for pair in zip(size, patch))
        return replace(self, patch_size=(*edges, self.patch_size[-1]))

    @property
    def padded_size(self) -> tuple[int, ...]:
        """Size of the padded image."""
        return tuple(max(pair) for pair in zip(self.size, self.patch_size))

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Voxels of padding before and after the image, per axis."""
        added = (new - old for new, old in zip(self.padded_size, self.size))
        return tuple((count // 2, count - count // 2) for count in added)

    @property
    def rows(self) -> list[int]:
        """Start of each row along `along`, in the padded image."""
        return self._starts(self.along)

    @property
    def count(self) -> int:
        """Number of windows."""
        count = 1
        for axis in range(len(self.size)):
            count *= len(self._starts(axis))
        return count

    def row(self, start: int) -> list[tuple[slice, ...]]:
        """Return the windows of the row at `start` as slices of the padded image."""
        starts = [self._starts(axis) for axis in range(len(self.size))]
        starts[self.along] = [start]
        return [self._box(corner) for corner in product(*starts)]

    def spread(self, count: int) -> list[tuple[slice, ...]]:
        """Return at most `count` windows, evenly spaced along each axis.

        Every n-th window would not be: of 11 rows, 12 windows would all lie in two corners.
        """
        if self.count <= count:
            return [box for start in self.rows for box in self.row(start)]
        corners, steps = [], iter(_STEPS)
        for axis in range(len(self.size)):
            starts = np.array(self._starts(axis))
            is_along = axis == self.along
            parts = np.linspace(0, 1, count) if is_along else _sequence(count, next(steps))
            indices = np.minimum(parts * len(starts), len(starts) - 1).astype(int)
            corners.append(starts[indices].tolist())
        return [self._box(corner) for corner in dict.fromkeys(zip(*corners))]

    def _box(self, corner: Sequence[int]) -> tuple[slice, ...]:
        return tuple(slice(begin, begin + edge) for begin, edge in zip(corner, self.patch_size))

    def cut(self, padded: Tensor, box: Sequence[slice]) -> Tensor:
        """Return the input of a window: its voxels of a padded image and its context slices.

        Beyond the first and last slice of the image they repeat.

        Args:
            padded: (batch, channel, *padded_size).
            box: a window of `row`.
        """
        if not self.context:
            return padded[(slice(None), slice(None), *box)]
        first, stop = box[-1].start - self.context, box[-1].stop + self.context
        wanted = torch.arange(first, stop).clamp(0, padded.shape[-1] - 1)
        return padded[(slice(None), slice(None), *box[:-1])][..., wanted.to(padded.device)]

    def pad(self, image: Tensor) -> Tensor:
        """Pad an image (batch, channel, *size) with zeros to `padded_size`."""
        flat = [count for margin in reversed(self.margins) for count in margin]
        return F.pad(image, flat) if any(flat) else image

    def weights(self) -> Tensor:
        """Return the Gaussian weight of each voxel of a window, (*patch_size) float32."""
        weighted = self.patch_size[:-1] if self.slice_wise else self.patch_size
        weights = compute_importance_map(weighted, mode="gaussian", dtype=torch.float32)
        return weights[..., None].expand(self.patch_size) if self.slice_wise else weights

    def _starts(self, axis: int) -> list[int]:
        size, edge = self.padded_size[axis], self.patch_size[axis]
        is_slices = self.slice_wise and axis == len(self.size) - 1
        step = edge if is_slices else max(1, edge - round(edge * _OVERLAP))
        return [*range(0, size - edge, step), size - edge]


def _sequence(count: int, step: float) -> NDArray[np.floating[Any]]:
    return (0.5 + np.arange(count) * step) % 1


def seen_windows(preset: Preset, image: Tensor) -> Iterator[Tensor]:
    """Yield some windows of an image, from which features of the whole image are computed.

    They have the size of a patch, whatever windows the image is segmented in: features that are
    normalized window by window depend on it.

    Args:
        preset: of the model.
        image: (1, channel, *size) on any device.
    """
    windows = SlidingWindows.for_preset(preset, image.shape[2:])
    padded = windows.pad(image)
    for box in windows.spread(SEEN_WINDOWS):
        yield windows.cut(padded, box)


def iterate_slabs(
    predictor: EnsemblePredictor,
    image: Tensor,
    windows: SlidingWindows,
    precision: torch.dtype = torch.float32,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Slab]:
    """Yield the class probabilities of an image in slabs, each as soon as it is complete.

    Args:
        predictor: returns the probabilities of windows; prepared for the image.
        image: (1, channel, *windows.size) on any device.
        windows: the windows over the image; slabs follow each other along `windows.along`.
        precision: data type of the accumulator, torch.float32 or torch.float16.
        progress: called with the number of windows just finished.

    Yields:
        The slab's first voxel along the axis, the voxel after its last, and its probabilities
        (class, ...) in float32 on `predictor.output_device`. Slabs are contiguous and in order.
    """
    padded = windows.pad(image)
    accumulator = _SlabAccumulator(predictor, windows, precision)
    rows = windows.rows
    for row, following in zip(rows, [*rows[1:], windows.padded_size[windows.along]]):
        boxes = windows.row(row)
        while boxes:
            batch = boxes[: predictor.batch_size]
            boxes = boxes[len(batch) :]
            accumulator.add(
                predictor(torch.cat([windows.cut(padded, box) for box in batch])), batch
            )
            if progress is not None:
                progress(len(batch))
        yield from _without_padding(windows, row, following, accumulator.pop(following - row))


class _SlabAccumulator:
    """Weighted sums of a row of windows: as thick as a window, as wide as the image.

    In memory the axis along which rows follow each other comes first: finished voxels are one block
    then, and those of a slice-wise network have the order that it computes them in.
    """

    def __init__(
        self, predictor: EnsemblePredictor, windows: SlidingWindows, precision: torch.dtype
    ) -> None:
        self._predictor = predictor
        self._axis = windows.along
        self._precision = precision
        self._size = list(windows.padded_size)
        self._size[self._axis] = windows.patch_size[self._axis]
        self._window = windows.weights().movedim(windows.along, 0).contiguous()
        self._window = self._window.movedim(0, windows.along)
        self._weights = self._zeros(torch.float32)
        self._sums: Tensor | None = None

    def add(self, probabilities: Tensor, boxes: Sequence[tuple[slice, ...]]) -> None:
        """Add the probabilities (window, class, *patch_size) of windows of the row."""
        self._predictor.with_fallback(lambda: self._allocate(probabilities.shape[1]))
        assert self._sums is not None
        device = self._sums.device
        for part, box in zip(probabilities.to(device), boxes):
            inside = tuple(
                slice(None) if axis == self._axis else edge for axis, edge in enumerate(box)
            )
            self._sums[(slice(None), *inside)] += part.mul_(self._window)
            self._weights[inside] += self._window

    def pop(self, count: int) -> Tensor:
        """Return the first `count` voxels along the axis and advance by as many."""
        assert self._sums is not None
        axis = self._axis
        mean = self._sums.narrow(1 + axis, 0, count).float()
        mean = mean / self._weights.narrow(axis, 0, count)
        _shift(self._sums, 1 + axis, count)
        _shift(self._weights, axis, count)
        return mean

    def _allocate(self, classes: int) -> None:
        """Allocate the sums, or move them to the predictor's current output device."""
        device = self._predictor.output_device
        if self._sums is None:
            sums = self._zeros(self._precision, device, classes)
        elif self._sums.device != device:
            sums = self._sums.to(device)
        else:
            return
        self._weights, self._window = self._weights.to(device), self._window.to(device)
        self._sums = sums

    def _zeros(
        self, dtype: torch.dtype, device: torch.device | None = None, *channels: int
    ) -> Tensor:
        """Return zeros (*channels, *self._size) with the axis of the rows first in memory."""
        size = list(self._size)
        along = size.pop(self._axis)
        zeros = torch.zeros((along, *channels, *size), dtype=dtype, device=device)
        return zeros.movedim(0, len(channels) + self._axis)


def _shift(sums: Tensor, axis: int, count: int) -> None:
    """Shift sums toward the start of an axis and fill the end with zeros."""
    rest = sums.shape[axis] - count
    sums.narrow(axis, 0, rest).copy_(sums.narrow(axis, count, rest).clone())
    sums.narrow(axis, rest, count).zero_()


def _without_padding(
    windows: SlidingWindows, start: int, stop: int, slab: Tensor
) -> Iterator[Slab]:
    """Crop the padding from a slab of the padded image; yields nothing if it is all padding."""
    along, size = windows.along, windows.size
    before = [margin for margin, _ in windows.margins]
    inside = [slice(first, first + count) for first, count in zip(before, size)]
    low = max(start - before[along], 0)
    high = min(stop - before[along], size[along])
    if low < high:
        inside[along] = slice(low + before[along] - start, high + before[along] - start)
        yield low, high, slab[(slice(None), *inside)]
