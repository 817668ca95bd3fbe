"""Volumes of the labels of a training's cases."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..data.training_case import TrainingCase
from ..data.volume_ranges import Volumes, to_ml


def case_volumes(cases: Sequence[TrainingCase], values: Collection[int]) -> dict[str, Volumes]:
    """Return the volume of each label value in ml by case; 2-D cases are left out.

    Args:
        cases: the cases, whose classes 1, 2, ... stand for the values in ascending order.
        values: label values.
    """
    volumes = {}
    for case in cases:
        if len(case.spacing) == 3:
            counts = case.voxel_counts()
            voxels = {value: counts.get(k, 0) for k, value in enumerate(sorted(values), 1)}
            volumes[case.name] = to_ml(voxels, case.spacing)
    return volumes


def volume_ranges(cases: Mapping[str, Volumes]) -> dict[int, tuple[float, float]]:
    """Return the smallest and largest volume of each label value in ml, to four digits."""
    by_value: dict[int, list[float]] = {}
    for volumes in cases.values():
        for value, volume in volumes.items():
            by_value.setdefault(value, []).append(float(f"{volume:.4g}"))
    return {value: (min(volumes), max(volumes)) for value, volumes in by_value.items()}
