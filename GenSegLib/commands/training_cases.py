"""Prepare and check the cases of a new training."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from ..cases import CaseSet
from ..errors import GenSegError
from ..label_maps import require_compatible_labels
from ..presets import Preset


def prepare_cases(
    cases: CaseSet, preset: Preset, validation_fraction: float, seed: int
) -> tuple[CaseSet, Preset]:
    """Split off validation cases and check all of them.

    Returns:
        The cases with their roles, and the preset, whose spacing is the cases' median spacing
        unless it has one.

    Raises:
        GenSegError: the cases do not match the preset, or a case has an error.
    """
    from ..data.checks import check_cases, median_spacing, require_no_errors

    require_compatible_labels(cases.labels, preset.labels, preset.optional_labels)
    _require_modality(cases, preset)
    cases = cases.with_validation(validation_fraction, seed)
    checks = check_cases(cases, preset.labels or None)
    require_no_errors(checks)
    values = {value for check in checks for value in check.voxels}
    labels = preset.labels_of(values) or cases.labels or _default_labels(values)
    cases = dataclasses.replace(cases, labels=labels, modality=cases.modality or preset.modality)
    spacing = preset.spacing or median_spacing(checks, preset.orientation)
    return cases, dataclasses.replace(preset, spacing=spacing)


def _require_modality(cases: CaseSet, preset: Preset) -> None:
    if cases.modality and preset.modality and cases.modality != preset.modality:
        raise GenSegError(
            f"the cases are {cases.modality}, but preset {preset.name} is for {preset.modality}; "
            "choose another preset (list them with: genseg presets)"
        )


def _default_labels(values: Collection[int]) -> dict[int, str]:
    return {value: f"Label {value}" for value in sorted(values)}
