"""Images that are in a data set twice, perhaps saved in other axes or with another voxel type.

Light: numpy alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from ..images.volume import Volume
from ..steps import Steps, finish

_AXES = ("LR", "PA", "IS")
_LINES = 256  # that are copied at once


@dataclass(frozen=True)
class ImageContent:
    """What identifies the voxels of an image.

    Attributes:
        digest: of the values in the axes RAS as float32; equal for duplicates.
        orientation: of the file's axes, such as "LPS".
        voxels: their number.
    """

    digest: str
    orientation: str
    voxels: int


def image_content(volume: Volume) -> ImageContent:
    """Return the content of an image (channel, x, y, z)."""
    return finish(image_content_steps(volume))


def image_content_steps(volume: Volume) -> Steps[ImageContent]:
    """Return the content of an image (channel, x, y, z) after a step for each slice."""
    orientation = volume.orientation
    axes = [next(k for k, axis in enumerate(_AXES) if code in axis) for code in orientation]
    array = np.transpose(volume.array, (0, *(1 + axes.index(axis) for axis in range(3))))
    flipped = tuple(1 + axis for axis, code in zip(axes, orientation) if code in "LPI")
    array = np.flip(array, flipped)
    digest = hashlib.sha256(repr(array.shape).encode())
    for k in range(array.shape[3]):  # in parts, since copies of large scans and photos are large
        for channel in array[..., k]:
            for start in range(0, len(channel), _LINES):
                lines = channel[start : start + _LINES]
                digest.update(np.ascontiguousarray(lines, np.float32).data)
        yield None
    return ImageContent(digest.hexdigest(), orientation, volume.array.size)


def describe_duplicate(own: ImageContent, first: ImageContent, case: str) -> str:
    """Return the warning about a duplicate; it counts as an image of the same person.

    Args:
        own: content of the later image.
        first: content of the earlier one, with the same digest.
        case: name of the earlier one.
    """
    if own.orientation == first.orientation:
        return f"the image is a duplicate of case {case}; remove one of the two"
    return (
        f"the image has the same {own.voxels} voxels as case {case}, stored with other axes "
        f"({own.orientation} instead of {first.orientation}); remove one of the two"
    )
