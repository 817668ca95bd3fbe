"""Cleans a predicted label volume."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]


def largest_components(label: Array, labels: Iterable[int]) -> Array:
    """Keep of each label its largest piece; the rest becomes background.

    Voxels that share a face, an edge or a corner are of one piece. Of pieces of equal size the
    one nearest the origin in memory order stays.

    Args:
        label: label volume (x, y, z) of whole numbers; it is not modified.
        labels: values to clean; others are left alone.
    """
    cleaned = label.copy()
    boxes = ndimage.find_objects(label)
    for value in labels:
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is not None:
            mask = label[box] == value
            cleaned[box][mask & ~_largest_component(mask)] = 0
    return cleaned


def _largest_component(mask: Array) -> Array:
    pieces, _ = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return np.asarray(pieces == sizes.argmax())
