"""Finds at a coarse spacing where in an image the organ lies."""

from __future__ import annotations

import numpy as np

from ..data.preprocessing import Prepared
from ..images.geometry import Array
from ..images.image_io import Volume

Box = tuple[slice, slice, slice]


def box_around(prepared: Prepared, label: Array, image: Volume, margin_mm: float) -> Box | None:
    """Give the box of the image's own voxels around what a label holds, and a margin.

    Args:
        prepared: the image at the coarse spacing.
        label: what was found there, (x, y, z).
        image: the image itself.
        margin_mm: to add on all sides.

    Returns:
        A range along each axis of the image, or None where the label is empty.
    """
    if not label.any():
        return None
    ends = np.empty((4, 2))
    ends[3] = 1
    for axis in range(3):
        inside = np.flatnonzero(label.any(axis=tuple({0, 1, 2} - {axis})))
        ends[axis] = inside[0] - 0.5, inside[-1] + 0.5
    own = (prepared.route.affine(np.eye(4)) @ ends)[:3]
    margins = margin_mm / np.array(image.spacing)
    starts = np.floor(own.min(axis=1) + 0.5 - margins).astype(int)
    stops = np.ceil(own.max(axis=1) + 0.5 + margins).astype(int)
    first, second, third = (
        slice(max(int(start), 0), min(int(stop), size))
        for start, stop, size in zip(starts, stops, image.shape)
    )
    return first, second, third


def without_padding(prepared: Prepared, label: Array) -> Array:
    """Give a label (x, y, z) on the prepared grid without its padding.

    What a network finds there is no part of the image.
    """
    return prepared.route.steps[-1].backward(label[np.newaxis], 0)[0]


def with_padding(prepared: Prepared, label: Array) -> Array:
    """Give a label without padding with background all over it."""
    return prepared.route.steps[-1].forward(label[np.newaxis], 0)[0]


def whole(image: Volume) -> Box:
    """Give the box of all voxels of an image."""
    x, y, z = image.shape
    return slice(0, x), slice(0, y), slice(0, z)


def part_of(image: Volume, box: Box) -> Volume:
    """Give a box of an image as an image of its own, which shares its voxels."""
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [edge.start for edge in box]
    return Volume(image.array[(slice(None), *box)], affine)
