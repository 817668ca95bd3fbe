"""The classes of a training: one for each name in its cases, whatever the values in the files."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..case_annotation import ClassState
from ..cases import Case, CaseSet, Role, with_values
from ..datasets.image_io import find_concepts, read_segment_names
from ..errors import GenSegError
from ..label_maps import (
    closest_name,
    collect_classes,
    format_labels,
    normalized,
    preset_values,
)
from ..nesting import includes_among, unknown_names, values_around
from ..presets import Preset
from .case_check import CaseCheck
from .class_counts import NO_BACKGROUND, missing_class_warnings, rare_class_warnings, unnamed_note


def with_classes(cases: CaseSet, preset: Preset | None) -> tuple[CaseSet, Preset | None]:
    """Name the classes of cases, and give the preset's classes their values.

    The names are those of the data set's list, or else of the segments in the label files, or else
    of the preset.

    Returns:
        The cases, whose label map is empty only if nothing names a label and else includes all
        labels of the preset, and the preset with the same values.

    Raises:
        GenSegError: the cases have a class that the preset lacks, or a class is said to include
            one whose name is misspelled.
    """
    cases = _with_parts_together(cases, preset)
    labels = cases.labels or collect_classes(_segment_names(c, preset) for c in cases.labeled)
    cases = _with_known_includes(cases, labels or (preset.labels if preset else {}), preset)
    if preset is None or not preset.labels:
        return replace(cases, labels=labels), preset
    if not labels:
        cases = replace(cases, notes=(*cases.notes, unnamed_note(preset.name, preset.labels)))
    labels = labels or preset.labels
    preset = preset.with_label_values(preset_values(labels, preset.labels))
    return replace(cases, labels=preset.labels | labels), preset


def _with_parts_together(cases: CaseSet, preset: Preset | None) -> CaseSet:
    """Merge masks of parts, such as left and right lungs, where the preset has one class."""
    parts = sorted({name for case in cases.cases for name in case.label_classes})
    if not parts or preset is None or len(preset.labels) != 1:
        return cases
    (whole,) = preset.labels.values()
    if normalized(whole) in map(normalized, (*parts, *cases.labels.values())):
        return cases
    note = f"{' and '.join(parts)} are learned together as {whole}, the class of {preset.name}"
    merged = tuple(replace(case, label_classes=()) for case in cases.cases)
    labels = preset.labels
    return replace(cases, cases=merged, labels=labels, notes=(*cases.notes, note))


def _with_known_includes(
    cases: CaseSet, labels: Mapping[int, str], preset: Preset | None
) -> CaseSet:
    """Leave classes out of `includes` that no case has; refuse misspelled ones."""
    unknown = unknown_names(cases.includes, labels.values()) if labels else []
    if not unknown:
        return cases
    for name in unknown:
        if closest_name(name, labels.values()):
            raise GenSegError(
                f'"includes" names {name}, which is not one of the classes '
                f"{format_labels(labels)}; correct the name"
            )
    expected = {normalized(name) for name in preset.labels.values()} if preset else set()
    notes = [
        f'"includes" names {name}, which is not one of the classes ({format_labels(labels)}) and '
        "is left out"
        for name in unknown
        if normalized(name) not in expected
    ]
    includes = includes_among(cases.includes, labels)
    return replace(cases, includes=includes, notes=(*cases.notes, *notes))


def keep_classes(
    cases: CaseSet, preset: Preset, checks: Sequence[CaseCheck]
) -> tuple[CaseSet, Preset]:
    """Leave out classes without a voxel in any case, also where others or cases name them.

    A label without a name is "Label 2". Voxels of a class that is left out, which nobody annotated,
    count for the class around it.
    """
    values = sorted({value for check in checks for value in check.voxels})
    names = preset.labels | cases.labels
    labels = {value: names.get(value, f"Label {value}") for value in values}
    if preset.labels:
        preset = preset.with_label_values({value: value for value in values})
    removed = {value: name for value, name in names.items() if value not in labels}
    around = values_around(cases.includes, labels, removed)

    def kept(case: Case) -> Case:
        hidden = case.annotation.names_with(ClassState.NOT_ANNOTATED, removed.values())
        drafts = {value: around[value] for value, name in removed.items() if name in hidden}
        segments = {removed[value]: outer for value, outer in drafts.items()}
        annotation = case.annotation.of_classes(labels.values())
        annotation = replace(annotation, segments={**annotation.segments, **segments})
        return with_values(replace(case, annotation=annotation), drafts)

    includes = includes_among(cases.includes, labels)
    return replace(
        cases, cases=tuple(map(kept, cases.cases)), labels=labels, includes=includes
    ), preset


def _segment_names(case: Case, preset: Preset | None) -> dict[int, str]:
    """Return the segments' names, or the preset's where only the terminology is the preset's.

    A file that cannot be read has none; `checks` reports it.
    """
    if case.label is None or case.label_classes:
        return {}
    try:
        names = read_segment_names(case.label)
        concepts = find_concepts(case.label, preset.terminology if preset and names else {})
    except GenSegError:
        return {}
    labels = preset.labels if preset else {}
    matched = concepts.matches(names, labels)
    return {value: labels[matched[value]] if value in matched else names[value] for value in names}


def case_warnings(cases: CaseSet, checks: Sequence[CaseCheck]) -> list[str]:
    """Return the warnings of all cases, then those of their classes."""
    found = [f"{check.case}: {text}" for check in checks for text in check.warnings]
    return [*found, *class_warnings(cases, checks)]


def class_warnings(cases: CaseSet, checks: Sequence[CaseCheck]) -> list[str]:
    """Return the warnings of `class_counts`; none while a case has an error.

    Args:
        cases: with their label map, and their roles as far as they are known.
        checks: of the cases, in the same order.
    """
    if not all(check.ok for check in checks):
        return []
    labeled = {case.name for case in cases.labeled}
    voxels = {check.case: check.voxels for check in checks if check.case in labeled}
    validation = {case.name for case in cases.of_role(Role.VALIDATE)}
    missing = {name: _lacking(cases, checks, value, name) for value, name in cases.labels.items()}
    return [
        *rare_class_warnings(cases.labels, voxels, validation),
        *missing_class_warnings(missing, len(labeled)),
        *([NO_BACKGROUND] if _lacks_background(checks) else []),
    ]


def _lacks_background(checks: Sequence[CaseCheck]) -> bool:
    """Return whether only structures were annotated, as with scribbles, in all cases."""
    labeled = [check for check in checks if check.voxels]
    known = (math.prod(check.shape) - check.ignored for check in labeled)
    annotated = (sum(check.voxels.values()) for check in labeled)
    return any(check.ignored for check in labeled) and all(map(operator.eq, known, annotated))


def _lacking(cases: CaseSet, checks: Sequence[CaseCheck], value: int, name: str) -> list[str]:
    """Return the completely annotated cases that lack a class without saying so."""
    return [
        case.name
        for case, check in zip(cases.cases, checks)
        if case.is_labeled
        and not check.voxels.get(value)
        and not check.ignored
        and case.annotation.state(name) is ClassState.ANNOTATED
    ]
