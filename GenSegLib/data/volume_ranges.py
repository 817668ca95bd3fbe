"""How large structures are, and which volumes nobody wonders at, by those of the labeled cases.

Light: numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1.5
_FEWEST_OTHERS = 4

Volumes = Mapping[int, float]
"""The volume of each label value in ml."""


def volumes_in(label: NDArray[Any], values: Iterable[int], spacing: Iterable[float]) -> Volumes:
    """Measure label values, slice by slice: a mask of a large scan is large, too.

    Args:
        label: of label values, with three axes in any order.
        values: to measure.
        spacing: size of a voxel along each axis in mm.
    """
    counts = {
        value: sum(int(np.count_nonzero(part == value)) for part in label) for value in values
    }
    return in_ml(counts, spacing)


def in_ml(counts: Mapping[int, int], spacing: Iterable[float]) -> Volumes:
    """Give the volumes of so many voxels of a spacing in mm."""
    voxel_ml = math.prod(map(float, spacing)) / 1000
    return {value: count * voxel_ml for value, count in counts.items()}


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
        cases: the volumes in each labeled case; a label that is not there takes none.
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
