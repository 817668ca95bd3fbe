"""Label values of masks that show classes as colors.

Light: numpy alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NOISE = 32  # from black or white, or between colors, as JPEG and antialiasing produce
NEARLY_ALL = 0.9
HALF = 128  # from here on, a gray value counts as white
FEW_VALUES = 8  # a mask with more, nearly all close to black and white, is antialiased
_WHITE = 7  # of `_VALUES`
_COLORS = ("", "red", "green", "blue", "yellow", "magenta", "cyan")
# label value by 1 for red + 2 for green + 4 for blue
_VALUES = np.array([0, 1, 2, 4, 3, 5, 6, _WHITE], np.uint8)


def gray_of_palette(indices: Array, palette: Array) -> Array:
    """Return the indices, or gray values where the palette shows a mask in black and white.

    Programs put black and white into palettes in either order.

    Args:
        indices: of pixels.
        palette: (index, 3) of 0 to 255.
    """
    used = np.unique(indices)
    if len(palette) <= used.max():
        return indices
    colors = palette[used]
    is_gray = (np.ptp(colors, axis=1) == 0).all()
    grays = np.unique(colors)
    is_mask = set(grays.tolist()) <= {0, 255} or len(grays) > FEW_VALUES
    return palette[indices][..., 0] if is_gray and is_mask else indices


def values_of_colors(pixels: Array, *, is_jpeg: bool) -> tuple[Array, str] | None:
    """Return label values of a mask in black and pure colors, and what was done to get them.

    Red is 1, green 2, blue 3, yellow 4, magenta 5 and cyan 6, so that colors mean the same in all
    masks of a data set.

    Args:
        pixels: (y, x, 3) of 0 to 255.
        is_jpeg: whether colors are inexact.

    Returns:
        None for other colors, and for white beside colors.
    """
    is_pure = ((pixels <= NOISE) | (pixels >= 255 - NOISE)).all(axis=2)
    if is_pure.mean() < (NEARLY_ALL if is_jpeg else 1):
        return None
    values = _VALUES[(pixels >= HALF) @ np.array((1, 2, 4), np.uint8)]
    found = np.unique(values)
    if found[-1] == _WHITE:
        return None
    names = ", ".join(f"{value} {_COLORS[value]}" for value in found if value)
    return values, f"the colors of the mask were taken as label values ({names})"
