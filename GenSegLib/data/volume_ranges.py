"""Which volumes of a structure nobody wonders at, by those of the labelled cases.

Light: the standard library alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

_TOLERANCE = 1.5
_FEWEST_OTHERS = 4

Volumes = Mapping[int, float]
"""The volume of each label value in ml."""


def show_ml(volume: float) -> str:
    """Give a volume as people write it, to three digits or to the milliliter."""
    return f"{volume:.0f} ml" if volume >= 100 else f"{volume:.3g} ml"


def sound_range(least: float, most: float) -> tuple[float, float]:
    """Give the range of volumes that are no wonder, by the least and the largest that are known.

    Of a few cases none is the largest there can be: 1.5 times as much is sound
    (`Testing/Benchmarks/volume_range.py`), and more where they differ more, as lesions do. What
    some cases lack altogether can be of any size.
    """
    if least == 0:
        return 0.0, math.inf
    tolerance = max(_TOLERANCE, math.sqrt(most / least))
    return least / tolerance, most * tolerance


def find_odd_cases(cases: Mapping[str, Volumes], names: Mapping[int, str]) -> dict[str, list[str]]:
    """Find segmentations of another size than those of all other cases: half drawn, or swapped.

    Args:
        cases: the volumes in each labelled case; a label that is not there takes none.
        names: of the label values.

    Returns:
        A line for each label that is odd, by the case's name. Of fewer than five cases none is.
    """
    found: dict[str, list[str]] = {}
    for value, name in names.items() if len(cases) > _FEWEST_OTHERS else ():
        sizes = sorted(volumes.get(value, 0.0) for volumes in cases.values())
        for case, volumes in cases.items():
            own = volumes.get(value, 0.0)
            least = sizes[1] if own == sizes[0] else sizes[0]  # of the others
            most = sizes[-2] if own == sizes[-1] else sizes[-1]
            low, high = sound_range(least, most)
            if not low <= own <= high:
                found.setdefault(case, []).append(
                    f"{name} takes {show_ml(own)}, in the other cases {show_ml(least)} to "
                    f"{show_ml(most)}; is it drawn as in those?"
                )
    return found
