"""Cleans a predicted label volume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..presets import Preset

Array = NDArray[Any]

_SHARE = 0.1  # of the largest piece's voxels, for one that may be part of it


def clean(label: Array, preset: Preset, labels: Sequence[int]) -> Array:
    """Do what the preset says: keep the largest pieces, then fill holes.

    Args:
        label: label volume (x, y, z) of whole numbers; it is not modified.
        preset: of the model.
        labels: the values that the model knows, without the background.
    """
    if preset.largest_component:
        optional = set(preset.optional_labels)
        label = largest_components(label, [value for value in labels if value not in optional])
    return fill_holes(label, labels) if preset.fill_holes else label


def largest_components(label: Array, labels: Iterable[int]) -> Array:
    """Keep of each label its largest piece; the rest becomes background.

    Where that piece reaches a face of the volume, others that reach the same face and have a tenth
    of its voxels stay as well: the lobes of a liver that the image shows the lower half of hang
    together above it.

    Voxels that share a face, an edge or a corner are of one piece. Of pieces of equal size the
    one nearest the origin in memory order is the largest.

    Args:
        label: label volume (x, y, z) of whole numbers, all of what the image shows; it is not
            modified.
        labels: values to clean; others are left alone.
    """
    cleaned = label.copy()
    boxes = ndimage.find_objects(label)
    for value in labels:
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is not None:
            mask = label[box] == value
            ends = [(part.start == 0, part.stop == n) for part, n in zip(box, label.shape)]
            cleaned[box][mask & ~_largest_component(mask, ends)] = 0
    return cleaned


def fill_holes(label: Array, labels: Iterable[int]) -> Array:
    """Fill the background that a label encloses; voxels of other labels stay as they are.

    Background is enclosed where no way over the faces of voxels that are not of the label leads to
    the border of the volume. What two labels enclose goes to the higher value, since inner
    structures (a lesion in its organ) are numbered after what they lie in.

    Args:
        label: label volume (x, y, z) of whole numbers; it is not modified.
        labels: values whose holes to fill.
    """
    filled = label.copy()
    boxes = ndimage.find_objects(label)
    for value in sorted(labels, reverse=True):
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is not None:
            part = filled[box]
            part[ndimage.binary_fill_holes(part == value) & (part == 0)] = value
    return filled


def _largest_component(mask: Array, ends: Sequence[tuple[bool, bool]]) -> Array:
    """Give the largest piece of a mask, and those that hang together with it beyond the image.

    Args:
        mask: (x, y, z).
        ends: for each axis whether the mask's first and last slice are those of the image.
    """
    pieces, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    largest = sizes.argmax()
    kept = np.zeros(count + 1, bool)
    kept[largest] = True
    for axis, (is_first, is_last) in enumerate(ends):
        for is_end, place in ((is_first, 0), (is_last, -1)):
            reaching = np.unique(pieces.take(place, axis)) if is_end else ()
            if largest in reaching:
                kept[reaching] |= sizes[reaching] >= _SHARE * sizes[largest]
    return np.asarray(kept[pieces])
