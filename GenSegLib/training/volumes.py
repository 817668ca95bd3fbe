"""How large the labels of a training's cases are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..augmentation.subject import LabeledCase
from ..data.volume_ranges import Volumes, in_ml


def volumes_of(subjects: Sequence[LabeledCase], values: Collection[int]) -> dict[str, Volumes]:
    """Return the volume of each label value in each case; slices have none.

    Args:
        subjects: the cases, whose classes 1, 2, ... stand for the values in rising order.
        values: the label values.
    """
    return {
        subject.name: _volumes_of(subject, values)
        for subject in subjects
        if len(subject.spacing) == 3
    }


def _volumes_of(subject: LabeledCase, values: Collection[int]) -> Volumes:
    counts = subject.voxel_counts()
    of_values = {value: counts.get(place, 0) for place, value in enumerate(sorted(values), 1)}
    return in_ml(of_values, subject.spacing)


def volume_ranges(cases: Mapping[str, Volumes]) -> dict[int, tuple[float, float]]:
    """Return the least and the largest volume of each label value in ml, to four digits."""
    every: dict[int, list[float]] = {}
    for volumes in cases.values():
        for value, volume in volumes.items():
            every.setdefault(value, []).append(float(f"{volume:.4g}"))
    return {value: (min(volumes), max(volumes)) for value, volumes in every.items()}
