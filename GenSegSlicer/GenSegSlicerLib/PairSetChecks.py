"""Checks of training pairs against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from slicer.i18n import tr as _

from GenSegLib.checks.case_check import EMPTY_LABEL, NOTHING_LABELED
from GenSegLib.checks.channel_counts import ChannelCounts, possible_channels
from GenSegLib.checks.class_counts import rare_class_warnings
from GenSegLib.checks.duplicates import describe_duplicate
from GenSegLib.data.volume_ranges import find_volume_outliers
from GenSegLib.datasets.persons import find_divided_persons
from GenSegLib.label_maps import special_value
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.PairChecks import OK, referenceWarning
from GenSegSlicerLib.Persons import casesOf
from GenSegSlicerLib.SegmentClasses import classLabels
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.VolumeContents import Duplicate, VolumeContents


@dataclass
class SetFindings:
    """What the checks of all pairs have found.

    Attributes:
        errors: why a pair cannot be used, by its position.
        warnings: reasons to review the pair, by its position.
        general: warnings about classes and persons.
        duplicates: name of an earlier case with the same image, by the name of the case.
    """

    errors: dict[int, str] = field(default_factory=dict)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    general: list[str] = field(default_factory=list)
    duplicates: dict[str, str] = field(default_factory=dict)


def checkTogether(
    pairs: Sequence[TrainingPair], classMap: Mapping[str, str], contents: VolumeContents
) -> list[str]:
    """Set the warnings of pairs that were checked one by one, and errors by `checkSetSteps`.

    Returns:
        Warnings about the classes and persons of all pairs.
    """
    return finish(checkTogetherSteps(pairs, classMap, contents))


def checkTogetherSteps(
    pairs: Sequence[TrainingPair], classMap: Mapping[str, str], contents: VolumeContents
) -> Steps[list[str]]:
    """Do what `checkTogether` does, after steps in which volumes are compared."""
    valid = [pair for pair in pairs if pair.role != "ignore" and pair.status == OK]
    findings = yield from checkSetSteps(valid, classMap, contents)
    position = {id(pair): index for index, pair in enumerate(valid)}
    for pair in pairs:
        index, name = position.get(id(pair), -1), pair.volumeNode.GetName()
        lines = [*pair.notes, *pair.channelWarnings, *pair.lost, *findings.warnings.get(index, ())]
        named = [referenceWarning(pair), *(f"{name}: {line}" for line in lines)]
        pair.warning = "\n".join(line for line in named if line)
        if index in findings.errors:
            pair.status = f"{name}: {findings.errors[index]}"
    return findings.general


def checkSetSteps(
    pairs: Sequence[TrainingPair], classMap: Mapping[str, str], contents: VolumeContents
) -> Steps[SetFindings]:
    """Check pairs that are valid by themselves, as the command line checks its cases.

    Args:
        pairs: pairs to train with, which were checked one by one.
        classMap: class of each segment name.
        contents: contents of volumes, kept between checks.
    """
    findings, classes = SetFindings(), classLabels(classMap)
    labels = {value: name for value, name in classes.items() if not special_value(name)}
    cases = casesOf(pairs)
    position = {id(pair): index for index, pair in enumerate(pairs)}
    duplicates = yield from contents.duplicatesSteps(pairs)
    _checkDuplicates(findings, duplicates, position, [case.name for case in cases])
    _checkEmpty(findings, pairs)
    _checkAlike(findings, pairs)
    volumes = {case.name: pair.volumes for case, pair in zip(cases, pairs)}
    known = {case.name: _knownVolumes(pair) for case, pair in zip(cases, pairs)}
    areFlat = any(pair.isFlat for pair in pairs)  # sizes in photos depend on the distance
    outliers = {} if areFlat else find_volume_outliers(known, labels)
    for index, case in enumerate(cases):
        findings.warnings.setdefault(index, []).extend(outliers.get(case.name, ()))
    if pairs:
        validation = [case.name for case in cases if case.role.value == "validate"]
        findings.general += rare_class_warnings(labels, volumes, validation)
    findings.general += find_divided_persons(cases)
    return findings


def _knownVolumes(pair: TrainingPair) -> dict[int, float]:
    """Volumes of the classes, NaN for those that are partly annotated or not at all."""
    unknown = dict.fromkeys(pair.unknown, math.nan)
    return {**pair.volumes, **unknown}


def _checkDuplicates(
    findings: SetFindings,
    duplicates: Sequence[Duplicate],
    position: Mapping[int, int],
    names: Sequence[str],
) -> None:
    for pair, content, earlier, earlierContent in duplicates:
        index, name = position[id(pair)], names[position[id(earlier)]]
        text = describe_duplicate(content, earlierContent, name)
        findings.duplicates[names[index]] = name
        findings.warnings.setdefault(index, []).append(text)


def _checkAlike(findings: SetFindings, pairs: Sequence[TrainingPair]) -> None:
    """Images of one training are all flat or none, and have the same number of channels."""
    counts = ChannelCounts()
    for index, pair in enumerate(pairs):
        first, possible = pairs[0], possible_channels(pair.channels, pair.isGrayInColor)
        if pair.isFlat != first.isFlat:
            is2D = _("is a 2-D image, but {first} has several slices; train on one kind at a time")
            is3D = _("has several slices, but {first} is a 2-D image; train on one kind at a time")
            text = (is2D if pair.isFlat else is3D).format(first=first.volumeNode.GetName())
            findings.errors.setdefault(index, text)
        elif not counts.add(pair.volumeNode.GetName(), possible):
            text = _("the number of channels is {own}, but {expected} in {other}; make them alike")
            values = {"own": pair.channels, "expected": max(counts.common), "other": counts.other}
            findings.errors.setdefault(index, text.format(**values))


def _checkEmpty(findings: SetFindings, pairs: Sequence[TrainingPair]) -> None:
    """Patients without a lesion are cases to learn from, if others have one."""
    areAllEmpty = all(pair.isEmpty for pair in pairs)
    for index, pair in enumerate(pairs):
        if pair.isEmpty and areAllEmpty:
            findings.errors.setdefault(index, EMPTY_LABEL)
        elif pair.isEmpty and not pair.isStated:
            findings.warnings.setdefault(index, []).append(NOTHING_LABELED)
