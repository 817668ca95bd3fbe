"""Which segments the cases have, and which class of the model each of them is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from GenSegLib.presets import Preset
from GenSegSlicerLib.Segments import segmentsOf
from GenSegSlicerLib.TrainingPair import TrainingPair

# What people put around the name of a structure without meaning another one.
_MINOR = re.compile("left|right|[lr]t?|the|of|seg(ment(ation)?)?|label|mask|roi|manual|gt")


@dataclass(frozen=True)
class SegmentUse:
    """A segment name: in how many cases it is, and the names of those that lack it."""

    name: str
    terminology: str
    count: int
    missingIn: list[str] = field(default_factory=list)


def segmentNames(pairs: Sequence[TrainingPair]) -> list[SegmentUse]:
    """The segment names that the pairs have, in the order in which they are found."""
    terminologies: dict[str, str] = {}
    having: dict[str, set[int]] = {}
    for index, pair in enumerate(pairs):
        for segment in segmentsOf(pair.segmentationNode):
            terminologies.setdefault(segment.name, segment.terminology)
            having.setdefault(segment.name, set()).add(index)
    uses = []
    for name, found in having.items():
        lacking = [pair.name for index, pair in enumerate(pairs) if index not in found]
        uses.append(SegmentUse(name, terminologies[name], len(found), lacking))
    return uses


def classesLacking(uses: Sequence[SegmentUse], classMap: Mapping[str, str]) -> dict[str, int]:
    """Classes that some cases have no segment of, with the number of these cases."""
    lacking: dict[str, set[str]] = {}
    for use in uses:
        name = classMap.get(use.name, "")
        if name:
            missing = set(use.missingIn)
            lacking[name] = lacking.get(name, missing) & missing
    return {name: len(missing) for name, missing in lacking.items() if missing}


def suggestClasses(uses: Sequence[SegmentUse], preset: Preset) -> dict[str, str]:
    """Suggest a class for each segment name, "" (ignored) where none is certain.

    The classes of a preset are found by name ("Liver left" is Liver, "liver tumor" is not), by
    terminology, and by number ("Label 2", "Segment_2") where the names say nothing. A custom
    preset has the segment names themselves as classes.
    """
    if not preset.labels:
        return {use.name: use.name for use in uses}
    return {use.name: _suggest(use, preset) for use in uses}


def _suggest(use: SegmentUse, preset: Preset) -> str:
    guesses = (
        {name for name in preset.labels.values() if _words(name) == _words(use.name)},
        {name for name in preset.labels.values() if _isNameOf(use.name, name, preset.anatomy)},
        {
            name
            for value, name in preset.labels.items()
            if _typeOf(use.terminology)
            and _typeOf(use.terminology) == _typeOf(preset.terminology.get(value, ""))
        },
        {preset.labels.get(_numberOf(use.name), "")},
    )
    certain = next((guess for guess in guesses if guess), set())
    return certain.pop() if len(certain) == 1 else ""


def _isNameOf(segment: str, wanted: str, anatomy: str) -> bool:
    """Whether a segment's name says the class, and besides nothing that makes a difference."""
    said, needed = set(_words(segment)), set(_words(wanted))
    further = said - needed - set(_words(anatomy))
    return needed <= said and all(_MINOR.fullmatch(word) for word in further)


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d+", name.casefold())


def _typeOf(terminology: str) -> str:
    """Coding scheme and value of the type in a terminology string: "SCT^10200004"."""
    parts = terminology.split("~")
    code = parts[2].split("^")[:2] if len(parts) > 2 else []
    return "^".join(code) if all(code) else ""


def _numberOf(name: str) -> int:
    match = re.fullmatch(r"(?:label|segment)?[ _]?(\d+)", name.strip().casefold())
    return int(match.group(1)) if match else 0


def labelsOf(classMap: Mapping[str, str], preset: Preset | None = None) -> dict[int, str]:
    """Voxel values and the classes they stand for.

    All classes of the preset keep their values, even those that no segment is mapped to, unless
    they are optional; further ones follow in the order in which the map names them.
    """
    labels = dict(preset.labels) if preset else {}
    for name in classMap.values():
        if name and name not in labels.values():
            labels[max(labels, default=0) + 1] = name
    optional = preset.optional_labels if preset else ()
    used = set(classMap.values())
    return {value: name for value, name in labels.items() if value not in optional or name in used}
