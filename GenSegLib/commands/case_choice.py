"""Which cases a training gets, and whether they fit what it expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from statistics import median
from typing import TYPE_CHECKING

from ..cases import CaseSet
from ..errors import GenSegError
from ..label_maps import require_fitting_labels
from ..presets import Preset

if TYPE_CHECKING:
    from ..data.checks import CaseCheck

_AXES = {code: axis for axis in ("RL", "AP", "SI") for code in axis}


def choose_cases(
    cases: CaseSet, preset: Preset, validation_share: float, seed: int
) -> tuple[CaseSet, Preset]:
    """Hold some cases back for validation, and read all of them to see that they are sound.

    Returns:
        The cases with their roles, and the preset with their usual spacing where it has none: a
        network, and the shapes that are blended, need one size of voxel.

    Raises:
        GenSegError: the cases do not fit the preset, or one has a fault.
    """
    from ..data.checks import check_cases, require_sound

    require_fitting_labels(cases.labels, preset.labels, preset.optional_labels)
    _require_modality(cases, preset)
    cases = cases.with_validation(validation_share, seed)
    checks = check_cases(cases, preset.labels or None)
    require_sound(checks)
    values = {value for check in checks for value in check.voxels}
    labels = preset.labels_of(values) or cases.labels or _labels_found(values)
    cases = dataclasses.replace(cases, labels=labels, modality=cases.modality or preset.modality)
    spacing = preset.spacing or usual_spacing(checks, preset.orientation)
    return cases, dataclasses.replace(preset, spacing=spacing)


def usual_spacing(checks: Sequence[CaseCheck], orientation: str) -> tuple[float, ...]:
    """Give the median spacing of cases in mm, along the axes of an orientation such as "RAS"."""
    sizes: dict[str, list[float]] = {axis: [] for axis in _AXES.values()}
    for check in checks:
        for code, size in zip(check.orientation, check.spacing):
            sizes[_AXES[code]].append(size)
    return tuple(round(median(sizes[_AXES[code]]), 4) for code in orientation)


def _require_modality(cases: CaseSet, preset: Preset) -> None:
    if cases.modality and preset.modality and cases.modality != preset.modality:
        raise GenSegError(
            f"the cases are {cases.modality} and preset {preset.name} is for {preset.modality}; "
            "choose another preset (genseg presets lists them)"
        )


def _labels_found(values: Collection[int]) -> dict[int, str]:
    """Name the labels that nobody named."""
    return {value: f"Label {value}" for value in sorted(values)}
