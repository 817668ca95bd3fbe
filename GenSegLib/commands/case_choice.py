"""Which cases a training gets, and whether they fit what it expects."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from ..cases import CaseSet
from ..errors import GenSegError
from ..label_maps import require_fitting_labels
from ..presets import Preset


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
    from ..data.checks import check_cases, require_sound, usual_spacing

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


def _require_modality(cases: CaseSet, preset: Preset) -> None:
    if cases.modality and preset.modality and cases.modality != preset.modality:
        raise GenSegError(
            f"the cases are {cases.modality} and preset {preset.name} is for {preset.modality}; "
            "choose another preset (genseg presets lists them)"
        )


def _labels_found(values: Collection[int]) -> dict[int, str]:
    """Name the labels that nobody named."""
    return {value: f"Label {value}" for value in sorted(values)}
