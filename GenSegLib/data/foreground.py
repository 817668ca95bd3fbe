"""Tells the body from the air around it.

Light: numpy alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..presets import Intensity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

CROP_MARGIN = 4
DARK_SHARE = 0.1


def foreground(array: Array, intensity: Intensity) -> Array:
    """Give the (x, y, z) mask of what is not air in any channel of a (channel, x, y, z) array.

    With a window that is all above its low end (HU). MR has no unit: there it is all above a
    tenth of the way from the channel's darkest voxel to its 99th percentile.
    """
    import numpy as np  # the command line needs the constants alone

    if intensity.kind == "window":
        return np.asarray((array > intensity.low).any(axis=0))
    dark = array.min(axis=(1, 2, 3), keepdims=True)
    bright = np.percentile(array, 99, axis=(1, 2, 3), keepdims=True)
    return np.asarray((array > dark + DARK_SHARE * (bright - dark)).any(axis=0))
