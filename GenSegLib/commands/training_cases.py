"""Prepare and check the cases of a new training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..cases import CaseSet, Role
from ..datasets.case_selection import cases_with_only_examples, with_duplicates_as_one_person
from ..datasets.persons import find_divided_persons
from ..errors import GenSegError
from ..images.volume import COLORS, format_channels
from ..presets import Preset, load_preset

if TYPE_CHECKING:
    from ..checks.case_check import CaseCheck
    from ..planning.fingerprint import Fingerprint

_GENERIC = {"CT": "generic-ct", "MR": "generic-mri"}


@dataclass(frozen=True)
class PreparedCases:
    """Checked cases with their roles, the preset of their training, and their fingerprint.

    `has_other_modality` means that some unlabeled cases are CT and the labeled ones are not, or the
    other way round.
    """

    cases: CaseSet
    preset: Preset
    fingerprint: Fingerprint
    has_other_modality: bool = False


def prepare_cases(
    cases: CaseSet,
    preset: Preset | None,
    validation_fraction: float,
    seed: int,
    log: Callable[[str], None] = lambda _: None,
    model: str = "",
    *,
    learned: Collection[str] = (),
    needs_unlabeled: bool = False,
) -> PreparedCases:
    """Split off validation cases and check all of them.

    Args:
        cases: as read from the user's folder.
        preset: preset of the anatomy; None for the generic one of the cases' modality.
        validation_fraction: fraction of the labeled cases.
        seed: of the split.
        log: called with warnings of the checks, and if the modality had to be guessed.
        model: name of the model that the preset is of, for messages.
        learned: names of cases that the model has learned from; the validation cases are others,
            if there are any.
        needs_unlabeled: whether unlabeled cases are to be learned from, if there are any.

    Raises:
        GenSegError: the cases do not match the preset, a labeled case has an error, or all of the
            unlabeled ones that are needed.
    """
    from ..checks.check_cases import check_cases, require_no_errors
    from ..checks.classes import case_warnings, keep_classes, with_classes
    from ..planning.fingerprint import summarize_cases

    if preset is not None:
        _require_modality(cases, preset)
    cases, preset = with_classes(cases, preset)
    checks = check_cases(cases, terminology=preset.terminology if preset else None)
    cases, checks = _with_usable_unlabeled(cases, checks, log, needs_unlabeled)
    require_no_errors(checks)
    duplicates = {check.case: check.duplicate_of for check in checks if check.duplicate_of}
    cases = with_duplicates_as_one_person(cases, duplicates)
    values = {check.case: check.voxels.keys() for check in checks}
    fixed = set(cases_with_only_examples(cases, values))
    if not {case.name for case in cases.labeled} <= fixed.union(learned):
        fixed.update(learned)
    cases = cases.with_validation(validation_fraction, seed, training_only=fixed)
    for note in (*cases.notes, *find_divided_persons(cases.cases)):
        log(f"warning: {note}")
    for warning in case_warnings(cases, checks):
        log(f"warning: {warning}")
    found = [check.fingerprint for check in checks if check.fingerprint is not None]
    fingerprint = summarize_cases([each for each in found if each.structures] or found)
    if preset is None:
        preset = _generic_preset(cases, fingerprint, log)
    elif preset.spacing is not None:
        _require_channels(fingerprint, preset, model)
    cases, preset = keep_classes(cases, preset, checks)
    cases = dataclasses.replace(cases, modality=cases.modality or preset.modality)
    unlabeled = [each for each in found if not each.structures]
    is_other = any(summarize_cases([each]).is_ct != fingerprint.is_ct for each in unlabeled)
    return PreparedCases(cases, preset, fingerprint, is_other)


def _with_usable_unlabeled(
    cases: CaseSet,
    checks: Sequence[CaseCheck],
    log: Callable[[str], None],
    needs_unlabeled: bool,
) -> tuple[CaseSet, list[CaseCheck]]:
    """Leave out unlabeled cases with the image of another case or with errors.

    A folder of all images has those of the labeled cases, and often some that cannot be read.
    """
    pairs = list(zip(cases.cases, checks))
    unlabeled = [check for case, check in pairs if case.role is Role.UNLABELED]
    repeated = [check for check in unlabeled if check.duplicate_of]
    failed = [check for check in unlabeled if not check.ok and not check.duplicate_of]
    if unlabeled and needs_unlabeled and len(repeated) + len(failed) == len(unlabeled):
        reason = f"{failed[0].case}: {failed[0].errors[0]}" if failed else "they are labeled cases"
        raise GenSegError(
            f"none of the unlabeled images can be used ({reason}); choose others, or train without "
            "unlabeled images"
        )
    if repeated:
        log(f"unlabeled images skipped because they duplicate other cases: {len(repeated)}")
    if failed:
        names = ", ".join(check.case for check in failed)
        log(
            f"warning: {len(failed)} of {len(unlabeled)} unlabeled images were skipped ({names}); "
            f"{failed[0].case}: {failed[0].errors[0]}"
        )
    out = {id(check) for check in (*repeated, *failed)}
    kept = [(case, check) for case, check in pairs if id(check) not in out]
    return dataclasses.replace(cases, cases=tuple(k for k, _ in kept)), [c for _, c in kept]


def _generic_preset(cases: CaseSet, fingerprint: Fingerprint, log: Callable[[str], None]) -> Preset:
    if fingerprint.slices <= 1:
        return load_preset("generic-2d-color" if fingerprint.channels == 3 else "generic-2d")
    modality = cases.modality
    if not modality:
        modality = "CT" if fingerprint.is_ct else "MR"
        other = _GENERIC["MR" if modality == "CT" else "CT"]
        log(
            f"the modality is not specified; the images look like {modality}, so the preset "
            f"{_GENERIC[modality]} is used (otherwise choose {other})"
        )
    return load_preset(_GENERIC[modality])


def _require_channels(fingerprint: Fingerprint, preset: Preset, model: str) -> None:
    usable = {fingerprint.channels}
    if fingerprint.is_in_color:  # a model of an earlier version was trained on them in color
        usable.add(COLORS)
    if preset.channels in usable:
        return
    found = f"the images have {format_channels(fingerprint.channels)}, but"
    if model:
        raise GenSegError(
            f"{found} the model {model} is for {preset.channels}, so that its weights do not fit; "
            "train from scratch"
        )
    raise GenSegError(
        f"{found} preset {preset.name} is for {preset.channels}; choose another preset (list them "
        "with: genseg presets)"
    )


def _require_modality(cases: CaseSet, preset: Preset) -> None:
    if cases.modality and preset.modality and cases.modality != preset.modality:
        raise GenSegError(
            f"the cases are {cases.modality}, but preset {preset.name} is for {preset.modality}; "
            "choose another preset (list them with: genseg presets)"
        )
