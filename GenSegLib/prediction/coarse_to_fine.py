"""Locates the organ in a coarse segmentation and crops the image to it."""

from __future__ import annotations

import numpy as np

from ..data.preprocessing import PreprocessedImage
from ..images.geometry import Array, bounding_box
from ..images.volume import Volume

Box = tuple[slice, ...]


def organ_box(
    prepared: PreprocessedImage, label: Array, image: Volume, margin_mm: float
) -> Box | None:
    """Return the bounding box of a coarse label in the image's own voxels.

    Args:
        prepared: the image at the coarse spacing.
        label: (x, y, z) coarse segmentation.
        image: the image itself.
        margin_mm: added on all sides.

    Returns:
        A slice along each axis of the image, or None if the label is empty.
    """
    if not label.any():
        return None
    box = bounding_box(label > 0)
    ends = np.array([*((part.start - 0.5, part.stop - 0.5) for part in box), (1, 1)])
    own = (prepared.transform.affine(np.eye(4)) @ ends)[:3]
    margins = margin_mm / np.array(image.spacing)
    starts = np.floor(own.min(axis=1) + 0.5 - margins).astype(int)
    stops = np.ceil(own.max(axis=1) + 0.5 + margins).astype(int)
    return tuple(
        slice(max(int(start), 0), min(int(stop), size))
        for start, stop, size in zip(starts, stops, image.shape)
    )


def remove_padding(prepared: PreprocessedImage, label: Array) -> Array:
    """Crop a label (x, y, z) on the preprocessed grid to the image's extent."""
    return prepared.transform.steps[-1].backward(label[np.newaxis], 0)[0]


def restore_padding(prepared: PreprocessedImage, label: Array) -> Array:
    """Pad a label without padding with background."""
    return prepared.transform.steps[-1].forward(label[np.newaxis], 0)[0]


def crop(image: Volume, box: Box) -> Volume:
    """Return a box of an image as an image that shares its voxels."""
    affine = image.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [edge.start for edge in box]
    return Volume(image.array[(slice(None), *box)], affine)
