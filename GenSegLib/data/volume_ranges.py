"""Volumes of segmented structures, and their plausible ranges given those in labeled cases.

Light: numpy alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import NDArray

from ..images.label_counts import label_counts

_TOLERANCE = 1.5
_MIN_CASES = 5

Volumes = Mapping[int, float]
"""The volume of each label value in ml."""


def label_volumes(label: NDArray[Any], values: Iterable[int], spacing: Iterable[float]) -> Volumes:
    """Return the volumes of label values.

    Args:
        label: of label values, with three axes in any order.
        values: to measure.
        spacing: voxel size along each axis in mm.
    """
    counts = label_counts(label)
    return to_ml({value: counts.get(value, 0) for value in values}, spacing)


def to_ml(counts: Mapping[int, float], spacing: Iterable[float]) -> Volumes:
    """Convert voxel counts at a spacing in mm to volumes in ml."""
    voxel_ml = math.prod(map(float, spacing)) / 1000
    return {value: count * voxel_ml for value, count in counts.items()}


def format_ml(volume: float) -> str:
    """Format a volume with three digits or to the milliliter."""
    return f"{volume:.0f} ml" if volume >= 100 else f"{volume:.3g} ml"


def plausible_range(smallest: float, largest: float) -> tuple[float, float]:
    """Return the plausible range of a volume, given the smallest and largest known volumes.

    New cases may exceed the known range by a factor of 1.5
    (`Docs/Results.md`), or more where known volumes vary more, as those of
    lesions do. A structure that is absent from some cases may have any volume.
    """
    if smallest == 0:
        return 0.0, math.inf
    tolerance = max(_TOLERANCE, math.sqrt(largest / smallest))
    return smallest / tolerance, largest * tolerance


def find_volume_outliers(
    cases: Mapping[str, Volumes], names: Mapping[int, str]
) -> dict[str, list[str]]:
    """Find segmentations whose volume differs from that of all other cases.

    They are often incomplete, or have swapped labels. With fewer than five cases none is found.

    Args:
        cases: volumes in each labeled case; a missing label has none, NaN is unknown.
        names: of the label values.

    Returns:
        By case name, a message for each outlier.
    """
    found: dict[str, list[str]] = {}
    for value, name in names.items():
        of_case = {case: volumes.get(value, 0.0) for case, volumes in cases.items()}
        of_case = {case: own for case, own in of_case.items() if not math.isnan(own)}
        sizes = sorted(of_case.values())
        for case, own in of_case.items() if len(of_case) >= _MIN_CASES else ():
            smallest = sizes[1] if own == sizes[0] else sizes[0]  # of the other cases
            largest = sizes[-2] if own == sizes[-1] else sizes[-1]
            low, high = plausible_range(smallest, largest)
            if not low <= own <= high:
                found.setdefault(case, []).append(
                    f"{name} has a volume of {format_ml(own)}, in the other cases "
                    f"{format_ml(smallest)} to {format_ml(largest)}; check the segmentation"
                )
    return found
