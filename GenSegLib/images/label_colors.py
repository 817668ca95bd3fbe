"""Colors of classes whose preset has none.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Color = tuple[int, int, int]

_COLORS: tuple[Color, ...] = (
    *((230, 120, 70), (80, 160, 220), (110, 190, 90), (200, 110, 200), (230, 190, 60)),
    *((90, 200, 190), (220, 100, 130), (150, 150, 240), (170, 130, 90), (160, 200, 60)),
)


def class_colors(values: Iterable[int], colors: Mapping[int, Color]) -> dict[int, Color]:
    """Return the color of each label value: its own, or one of ten."""
    return {
        value: colors.get(value, _COLORS[index % len(_COLORS)])
        for index, value in enumerate(sorted(values))
    }
