"""Checks of training pairs against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import slicer

from GenSegLib.data.case_check import EMPTY_LABEL, NOTHING_LABELED
from GenSegLib.data.class_counts import rare_class_warnings
from GenSegLib.data.duplicates import ImageContent, describe_duplicate, image_content
from GenSegLib.data.persons import find_divided_persons
from GenSegLib.data.volume_ranges import find_volume_outliers
from GenSegLib.images.volume import Volume
from GenSegSlicerLib.Geometry import localIJKToRAS
from GenSegSlicerLib.PairChecks import OK, referenceWarning
from GenSegSlicerLib.Persons import casesOf
from GenSegSlicerLib.SegmentClasses import classLabels
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair


class VolumeContents:
    """The contents of volumes, which are computed only if volumes may have the same voxels."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], ImageContent] = {}

    def duplicates(
        self, pairs: Iterable[TrainingPair]
    ) -> list[tuple[TrainingPair, ImageContent, TrainingPair, ImageContent]]:
        """Return each pair whose volume has the voxels of an earlier pair's, with that pair."""
        alike: dict[object, list[TrainingPair]] = {}
        for pair in pairs:
            image = pair.volumeNode.GetImageData()
            key = (*sorted(image.GetDimensions()), *image.GetScalarRange())
            alike.setdefault(key, []).append(pair)
        found = []
        for group in (group for group in alike.values() if len(group) > 1):
            first: dict[str, tuple[TrainingPair, ImageContent]] = {}
            for pair in group:
                content = self._contentOf(pair.volumeNode)
                earlier = first.setdefault(content.digest, (pair, content))
                if earlier[0] is not pair:
                    found.append((pair, content, *earlier))
        return found

    def _contentOf(self, volumeNode: slicer.vtkMRMLVolumeNode) -> ImageContent:
        key = (volumeNode.GetID(), volumeNode.GetImageData().GetMTime())
        if key not in self._known:
            voxels = voxelsOf(volumeNode.GetImageData())
            voxels = voxels.reshape((*voxels.shape[:3], -1))  # components last
            self._known[key] = image_content(Volume(voxels.T, localIJKToRAS(volumeNode)))
        return self._known[key]


@dataclass
class SetFindings:
    """What the checks of all pairs have found.

    Attributes:
        errors: why a pair cannot be used, by its position.
        warnings: reasons to look at a pair, by its position.
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
    """Set the warnings of pairs that were checked one by one, and errors by `checkSet`.

    Returns:
        Warnings about the classes and persons of all pairs.
    """
    valid = [pair for pair in pairs if pair.role != "ignore" and pair.status == OK]
    findings = checkSet(valid, classMap, contents)
    position = {id(pair): index for index, pair in enumerate(valid)}
    for pair in pairs:
        index, name = position.get(id(pair), -1), pair.volumeNode.GetName()
        lines = [*pair.notes, *pair.lost, *findings.warnings.get(index, ())]
        named = [referenceWarning(pair), *(f"{name}: {line}" for line in lines)]
        pair.warning = "\n".join(line for line in named if line)
        if index in findings.errors:
            pair.status = f"{name}: {findings.errors[index]}"
    return findings.general


def checkSet(
    pairs: Sequence[TrainingPair], classMap: Mapping[str, str], contents: VolumeContents
) -> SetFindings:
    """Check pairs that are valid by themselves, as the command line checks its cases.

    Args:
        pairs: pairs to train with, which were checked one by one.
        classMap: class of each segment name.
        contents: contents of volumes, kept between checks.
    """
    findings, labels = SetFindings(), classLabels(classMap)
    cases = casesOf(pairs)
    position = {id(pair): index for index, pair in enumerate(pairs)}
    _checkDuplicates(findings, contents.duplicates(pairs), position, [case.name for case in cases])
    _checkEmpty(findings, pairs)
    volumes = {case.name: pair.volumes for case, pair in zip(cases, pairs)}
    outliers = find_volume_outliers(volumes, labels)
    for index, case in enumerate(cases):
        findings.warnings.setdefault(index, []).extend(outliers.get(case.name, ()))
    if pairs:
        validation = [case.name for case in cases if case.role.value == "validate"]
        findings.general += rare_class_warnings(labels, volumes, validation)
    findings.general += find_divided_persons(cases)
    return findings


def _checkDuplicates(
    findings: SetFindings,
    duplicates: Sequence[tuple[TrainingPair, ImageContent, TrainingPair, ImageContent]],
    position: Mapping[int, int],
    names: Sequence[str],
) -> None:
    for pair, content, earlier, earlierContent in duplicates:
        index, name = position[id(pair)], names[position[id(earlier)]]
        text = describe_duplicate(content, earlierContent, name)
        findings.duplicates[names[index]] = name
        if content.is_in_same_axes(earlierContent):
            findings.errors[index] = text
        else:
            findings.warnings.setdefault(index, []).append(text)


def _checkEmpty(findings: SetFindings, pairs: Sequence[TrainingPair]) -> None:
    """Patients without a lesion are cases to learn from, if others have one."""
    areAllEmpty = all(pair.isEmpty for pair in pairs)
    for index, pair in enumerate(pairs):
        if pair.isEmpty and areAllEmpty:
            findings.errors.setdefault(index, EMPTY_LABEL)
        elif pair.isEmpty:
            findings.warnings.setdefault(index, []).append(NOTHING_LABELED)
