"""Segments an image of any size by windows of the segmenter's patch size, slab after slab.

The windows' results are summed in a slab that is as thick as one window, so that memory does not
grow with the length of the image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from .classifier import Classifier
from .views import mirrored_views
from .windows import Windows

Slab = tuple[int, int, Tensor]


def segment(
    network: nn.Module | Callable[[Tensor], Tensor],
    patch_size: Sequence[int],
    image: Tensor,
    mirror_axes: Sequence[int] = (),
) -> Tensor:
    """Give the class probabilities of a prepared image, without gradients.

    What is averaged over windows is the softmax.

    Args:
        network: from (batch, channel, *patch_size) to logits (batch, class, *patch_size); a
            module is to be in evaluation mode.
        patch_size: of the windows, in voxels.
        image: (1, channel, x, y, z), or one spatial axis fewer, on the network's device.
        mirror_axes: see `mirrored_views`.

    Returns:
        Probabilities (1, class, x, y, z) on the image's device.
    """
    windows = Windows(tuple(image.shape[2:]), tuple(patch_size))
    classifier = Classifier([network], image.device, mirrored_views(mirror_axes))
    slabs = [slab for _, _, slab in sweep(classifier, image, windows)]
    return torch.cat(slabs, dim=1 + windows.along)[None]


def sweep(
    classifier: Classifier,
    image: Tensor,
    windows: Windows,
    precision: torch.dtype = torch.float32,
    done: Callable[[int], None] | None = None,
) -> Iterator[Slab]:
    """Give the class probabilities of an image in slabs, each as soon as it is complete.

    Args:
        classifier: gives the probabilities of windows.
        image: (1, channel, *windows.size) on any device.
        windows: over the image; slabs follow each other along `windows.along`.
        precision: in which sums are held, torch.float32 or torch.float16.
        done: is told how many windows were just done.

    Yields:
        First voxel of a slab, the one after its last, and its probabilities (class, ...) in
        float32 on `classifier.collect_on`. Slabs are in order and leave nothing out.
    """
    padded = windows.pad(image)
    sums = _Sums(classifier, windows, precision)
    rows = windows.rows
    for row, following in zip(rows, [*rows[1:], windows.padded_size[windows.along]]):
        boxes = windows.row(row)
        while boxes:
            batch = boxes[: classifier.windows_at_once]
            boxes = boxes[len(batch) :]
            parts = [padded[(slice(None), slice(None), *box)] for box in batch]
            sums.add(classifier(torch.cat(parts)), batch)
            if done is not None:
                done(len(batch))
        yield from _without_padding(windows, row, following, sums.release(following - row))


class _Sums:
    """The weighted sums of a row of windows, across the image and as thick as a window."""

    def __init__(self, classifier: Classifier, windows: Windows, precision: torch.dtype) -> None:
        self._classifier = classifier
        self._axis = windows.along
        self._precision = precision
        self._extent = list(windows.padded_size)
        self._extent[self._axis] = windows.patch_size[self._axis]
        self._window = windows.weights()
        self._weights = torch.zeros(self._extent)
        self._shares: Tensor | None = None

    def add(self, shares: Tensor, boxes: Sequence[tuple[slice, ...]]) -> None:
        """Add the probabilities (window, class, *patch_size) of windows of the row."""
        self._classifier.secured(lambda: self._settle(shares.shape[1]))
        assert self._shares is not None
        device = self._shares.device
        for share, box in zip(shares.to(device), boxes):
            inside = tuple(
                slice(None) if axis == self._axis else edge for axis, edge in enumerate(box)
            )
            self._shares[(slice(None), *inside)] += share * self._window
            self._weights[inside] += self._window

    def release(self, count: int) -> Tensor:
        """Give the first `count` voxels along the axis, and go on by as many."""
        assert self._shares is not None
        axis = self._axis
        complete = self._shares.narrow(1 + axis, 0, count).float()
        complete = complete / self._weights.narrow(axis, 0, count)
        _shift(self._shares, 1 + axis, count)
        _shift(self._weights, axis, count)
        return complete

    def _settle(self, classes: int) -> None:
        """Make the sums, or move them to where the classifier wants them by now."""
        device = self._classifier.collect_on
        if self._shares is None:
            shares = torch.zeros((classes, *self._extent), dtype=self._precision, device=device)
        elif self._shares.device != device:
            shares = self._shares.to(device)
        else:
            return
        self._weights, self._window = self._weights.to(device), self._window.to(device)
        self._shares = shares


def _shift(sums: Tensor, axis: int, count: int) -> None:
    """Move sums towards the start of an axis, and leave zeros behind them."""
    kept = sums.shape[axis] - count
    sums.narrow(axis, 0, kept).copy_(sums.narrow(axis, count, kept).clone())
    sums.narrow(axis, kept, count).zero_()


def _without_padding(windows: Windows, start: int, stop: int, slab: Tensor) -> Iterator[Slab]:
    """Take the padding off a slab of the padded image; nothing where it is all padding."""
    along, size = windows.along, windows.size
    before = [margin for margin, _ in windows.margins]
    inside = [slice(first, first + count) for first, count in zip(before, size)]
    low = max(start - before[along], 0)
    high = min(stop - before[along], size[along])
    if low < high:
        inside[along] = slice(low + before[along] - start, high + before[along] - start)
        yield low, high, slab[(slice(None), *inside)]
