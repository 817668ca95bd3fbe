"""Mapping of segment names to classes of the model."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from GenSegLib.case_annotation import ClassState
from GenSegLib.label_maps import normalized, special_value
from GenSegLib.presets import Preset
from GenSegSlicerLib.PartialAnnotation import annotationOf
from GenSegSlicerLib.Segments import segmentsOf
from GenSegSlicerLib.TrainingPair import TrainingPair

# Words in segment names that do not change the structure.
_IGNORED_WORDS = re.compile("left|right|[lr]t?|the|of|seg(ment(ation)?)?|label|mask|roi|manual|gt")


@dataclass(frozen=True)
class SegmentOccurrence:
    """A segment name, the number of cases that contain it, and the names of the others."""

    name: str
    terminology: str
    count: int
    missingIn: list[str] = field(default_factory=list)


def collectSegments(pairs: Sequence[TrainingPair]) -> list[SegmentOccurrence]:
    """Return all segment names of the pairs, in order of first occurrence."""
    terminologies: dict[str, str] = {}
    pairsWith: dict[str, set[int]] = {}
    for index, pair in enumerate(pairs):
        for segment in segmentsOf(pair.segmentationNode):
            terminologies.setdefault(segment.name, segment.terminology)
            pairsWith.setdefault(segment.name, set()).add(index)
    occurrences = []
    for name, found in pairsWith.items():
        missingIn = [pair.name for index, pair in enumerate(pairs) if index not in found]
        occurrences.append(SegmentOccurrence(name, terminologies[name], len(found), missingIn))
    return occurrences


def missingClasses(
    segments: Sequence[SegmentOccurrence],
    classMap: Mapping[str, str],
    stated: Mapping[str, Collection[str]],
) -> dict[str, int]:
    """Return the classes that some cases lack, with the number of these cases.

    Args:
        segments: of all cases.
        classMap: class of each segment name, "" for none.
        stated: names of the cases that say so themselves, by class.
    """
    missingIn: dict[str, set[str]] = {}
    for segment in segments:
        name = classMap.get(segment.name, "")
        if name and not special_value(name):
            cases = set(segment.missingIn) - set(stated.get(name, ()))
            missingIn[name] = missingIn.get(name, cases) & cases
    return {name: len(cases) for name, cases in missingIn.items() if cases}


def statedClasses(pairs: Sequence[TrainingPair], classes: Collection[str]) -> dict[str, list[str]]:
    """Return the names of the cases that say of a class that it is absent or not annotated."""
    said = [(pair.name, annotationOf(pair.segmentationNode)) for pair in pairs]
    return {
        name: [case for case, each in said if each.state(name) is not ClassState.ANNOTATED]
        for name in classes
    }


def suggestClasses(
    segments: Sequence[SegmentOccurrence], preset: Preset, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Suggest a class for each segment name, "" (not used) if there is no unique match.

    Classes of a preset are matched by name ("Liver left" is Liver, "liver tumor" is not), by
    terminology, and finally by number ("Label 2", "Segment_2") if the preset has all numbers that
    occur. Custom presets use the segment names as classes; "Tumor" and "tumor" are one class.

    Args:
        segments: to suggest classes for.
        preset: with the classes.
        known: classes of other segment names.
    """
    if not preset.labels:
        classes = {normalized(name): each for name, each in (known or {}).items() if each}
        return {
            each.name: classes.setdefault(normalized(each.name), each.name) for each in segments
        }
    numbers = {_numberIn(segment.name) for segment in segments} - {0}
    isNumberedAlike = numbers <= set(preset.labels)  # "Label 45" is of another label scheme
    byNumber = preset.labels if isNumberedAlike else {}
    return {segment.name: _suggest(segment, preset, byNumber) for segment in segments}


def unusedNames(chosen: Mapping[str, str], preset: Preset) -> set[str]:
    """Return the names for which the user has chosen no class.

    Those for which the preset suggests none have no class either, but nobody has chosen so.

    Args:
        chosen: class of each segment name, "" for none.
        preset: suggests classes.
    """
    suggested = suggestClasses([SegmentOccurrence(name, "", 1) for name in chosen], preset)
    return {name for name, each in chosen.items() if suggested[name] and not each}


def matchedByNumber(
    segments: Sequence[SegmentOccurrence], classMap: Mapping[str, str], preset: Preset
) -> dict[int, str]:
    """Return the classes that segments without a name have by number, such as "Label 2"."""
    numbers = {_numberIn(segment.name): classMap.get(segment.name) for segment in segments}
    return {k: name for k, name in preset.labels.items() if numbers.get(k) == name}


def _suggest(segment: SegmentOccurrence, preset: Preset, byNumber: Mapping[int, str]) -> str:
    if special_value(segment.name):
        return segment.name
    classes = preset.labels.values()
    code = _typeCode(segment.terminology)
    candidates = (
        {name for name in classes if _words(name) == _words(segment.name)},
        {name for name in classes if _matches(segment.name, name, preset.anatomy)},
        {
            name
            for value, name in preset.labels.items()
            if code and code == _typeCode(preset.terminology.get(value, ""))
        },
        {byNumber.get(_numberIn(segment.name), "")},
    )
    names = next((found for found in candidates if found), set())
    return names.pop() if len(names) == 1 else ""


def _matches(segment: str, name: str, anatomy: str) -> bool:
    """Whether a segment name contains the class name, and otherwise only insignificant words."""
    words, required = set(_words(segment)), set(_words(name))
    others = words - required - set(_words(anatomy))
    return required <= words and all(_IGNORED_WORDS.fullmatch(word) for word in others)


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d+", name.casefold())


def _typeCode(terminology: str) -> str:
    """Coding scheme and value of the type in a terminology entry: "SCT^10200004"."""
    parts = terminology.split("~")
    code = parts[2].split("^")[:2] if len(parts) > 2 else []
    return "^".join(code) if all(code) else ""


def _numberIn(name: str) -> int:
    match = re.fullmatch(r"(?:label|segment)?[ _]?(\d+)", name.strip().casefold())
    return int(match.group(1)) if match else 0


def classLabels(classMap: Mapping[str, str], preset: Preset | None = None) -> dict[int, str]:
    """Return the class names by label value.

    Classes of the preset keep their values, even if no segment is mapped to them (except optional
    ones); other classes follow in the order of the map.
    """
    labels = dict(preset.labels) if preset else {}
    for name in classMap.values():
        if name and name not in labels.values():
            labels[max(labels, default=0) + 1] = name
    optional = preset.optional_labels if preset else ()
    used = set(classMap.values())
    return {value: name for value, name in labels.items() if value not in optional or name in used}
