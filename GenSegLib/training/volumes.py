"""Voxels and volumes of the labels of a training's cases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..data.label_sets import LabelSets
from ..data.training_case import TrainingCase
from ..data.volume_ranges import Volumes, to_ml


def has_partial_labels(cases: Sequence[TrainingCase], classes: int) -> bool:
    """Return whether a case has labels beyond the classes, background included."""
    return any(max(case.voxel_counts(), default=0) >= classes for case in cases)


def class_voxels(cases: Sequence[TrainingCase], sets: LabelSets) -> list[int]:
    """Return the number of voxels of each class in all cases, background first.

    Voxels of a set count for its first class, ignored ones for none.
    """
    totals = [0] * sets.classes
    for case in cases:
        for value, count in case.voxel_counts().items():
            if value != sets.classes:
                totals[sets.first_class[value]] += count
    return totals


def case_volumes(cases: Sequence[TrainingCase], sets: LabelSets) -> dict[str, Volumes]:
    """Return the volume of each label value in ml by case; 2-D images are left out.

    The volume of a class includes those of classes within it. It is NaN where it is not known: in
    cases with ignored voxels, and for classes that nobody annotated.

    Args:
        cases: the cases.
        sets: meaning of their labels.
    """
    volumes = {case.name: case for case in cases if not _is_image(case)}
    return {name: region_sizes(case, case.voxel_counts(), sets) for name, case in volumes.items()}


def region_sizes(case: TrainingCase, counts: Mapping[int, int], sets: LabelSets) -> Volumes:
    """Return the size of each label value: in ml, or as a fraction of a 2-D image.

    Args:
        case: the case.
        counts: voxels of each value of a label of the case.
        sets: meaning of the values; see `case_volumes`.
    """
    voxels = {value: _region_count(counts, k, sets) for k, value in enumerate(sets.names, 1)}
    if _is_image(case):
        return {value: count / math.prod(case.shape) for value, count in voxels.items()}
    return to_ml(voxels, case.spacing)


def _is_image(case: TrainingCase) -> bool:
    return 1 in case.shape


def _region_count(counts: Mapping[int, int], k: int, sets: LabelSets) -> float:
    """Return the number of voxels in the region of a class; NaN if it is not known."""
    inside, uncertain = sets.region_values(k)
    if any(counts.get(value) for value in uncertain):
        return math.nan
    return sum(counts.get(value, 0) for value in inside)


def volume_ranges(cases: Mapping[str, Volumes]) -> dict[int, tuple[float, float]]:
    """Return the smallest and largest known volume of each label value in ml, to four digits."""
    by_value: dict[int, list[float]] = {}
    for volumes in cases.values():
        for value, volume in volumes.items():
            if not math.isnan(volume):
                by_value.setdefault(value, []).append(float(f"{volume:.4g}"))
    return {value: (min(volumes), max(volumes)) for value, volumes in by_value.items()}
