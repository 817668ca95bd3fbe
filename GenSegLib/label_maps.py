"""Label maps: the names of label values.

Light: the standard library alone.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from .errors import GenSegError

MAX_LABEL = 32767
IGNORE = -1
"""Label of voxels that nobody annotated (nnU-Net's label `ignore`, a segment named Ignore)."""
BACKGROUND = -2
"""Label of voxels of a segment named Background, while a file is read: certainly background."""
_SPECIAL = {"ignore": IGNORE, "background": BACKGROUND}
_DEFAULT_NAME = re.compile(r"(?:label|segment)[ _-]?(\d+)")
_NUMBER_OR_LETTER = re.compile(r"\d+|\b[^\W\d]\b")
_MIN_SIMILARITY = 0.8  # of a misspelled name


def parse_labels(values: object) -> dict[int, str]:
    """Convert a JSON object {"1": name} to a label map without background.

    Raises:
        GenSegError: it is not such an object.
    """
    if not isinstance(values, Mapping):
        raise GenSegError('"labels" must be an object of the form {"1": "name"}')
    try:
        labels = {int(value): str(name) for value, name in values.items()}
    except (TypeError, ValueError):
        raise GenSegError(
            f'the keys of "labels" must be integers, not {", ".join(map(str, values))}'
        ) from None
    labels.pop(0, None)
    return labels


def check_labels(labels: Mapping[int, str]) -> None:
    """Raise GenSegError unless all values are in 1..32767."""
    for value in labels:
        if not 1 <= value <= MAX_LABEL:
            raise GenSegError(
                f"label value {value} is outside 1..{MAX_LABEL} (0 is the background)"
            )


@dataclass(frozen=True)
class Concepts:
    """Terminology codes, by value, of the segments in a file and of the classes."""

    own: Mapping[int, Hashable] = field(default_factory=dict)
    classes: Mapping[int, Hashable] = field(default_factory=dict)

    def matches(self, values: Iterable[int], classes: Iterable[int]) -> dict[int, int]:
        """Return the class of each value whose code it has alone, among these."""
        values, classes = list(values), list(classes)
        own = Counter(self.own.get(value) for value in values)
        known = Counter(self.classes.get(value) for value in classes)
        class_of = {self.classes.get(value): value for value in classes}
        return {
            value: class_of[code]
            for value in values
            if (code := self.own.get(value)) is not None and own[code] == known[code] == 1
        }


def ignored_file_value(values: Iterable[int]) -> int:
    """Return the value of ignored voxels in label files that GenSeg writes, the first free one."""
    return 1 + max(values, default=0)


def special_value(name: str) -> int:
    """Return `IGNORE` or `BACKGROUND` for a label of that name; 0 for a class."""
    return _SPECIAL.get(normalized(name), 0)


def match_names(
    own: Mapping[int, str],
    classes: Mapping[int, str],
    concepts: Concepts | None = None,
    *,
    ignore_unknown: bool = False,
) -> dict[int, int]:
    """Return the class value of each of a file's own values, by name, or else by terminology.

    Upper and lower case and spaces do not matter. The names that programs give to unnamed segments
    ("Label 2", "Segment_2") stand for the value 2 if no class has that name.

    Args:
        own: names of the values in the file.
        classes: names of the class values.
        concepts: codes of both; "Leber" is the class "Liver" if both have the code of the liver,
            and no other segment and class has it.
        ignore_unknown: leave out names that are not among the classes if any is.

    Raises:
        GenSegError: a name is not among the classes.
    """
    value_of = _values_by_name(classes)
    matched: dict[int, int] = {}
    for value, name in own.items():
        number = _default_number(name)
        found = value_of.get(normalized(name), number if number in classes else None)
        if found is not None:
            matched[value] = found
    free = classes.keys() - set(matched.values())
    matched |= (concepts or Concepts()).matches(own.keys() - matched.keys(), free)
    unknown = [name for value, name in own.items() if value not in matched]
    if unknown and not (ignore_unknown and matched):
        raise GenSegError(
            f"segment {', '.join(unknown)} is not among the classes {format_labels(classes)}; "
            "rename or remove it"
        )
    return matched


def collect_classes(files: Iterable[Mapping[int, str]]) -> dict[int, str]:
    """Return one class for each name in the files of all cases.

    A class gets the value of its first occurrence, or the next free one where another name has it.
    *Ignore* and *Background* are no classes.

    Args:
        files: names by value of each file.
    """
    classes: dict[int, str] = {}
    names: set[str] = set()
    for value, name in (item for file in files for item in file.items()):
        if normalized(name) not in names and not special_value(name):
            names.add(normalized(name))
            free = value if value not in classes else max(classes) + 1
            classes[free] = name.strip()
    return classes


def preset_values(found: Mapping[int, str], expected: Mapping[int, str]) -> dict[int, int]:
    """Return the value in the cases for each of the preset's values, by name.

    Classes of the preset that the cases lack get a free value. The names that programs give to
    unnamed segments ("Label 2") stand for the preset's value 2.

    Args:
        found: names of the cases' values.
        expected: names of the preset's values.

    Raises:
        GenSegError: the cases have a class that the preset lacks.
    """
    value_of = _values_by_name(found)
    matched = {value: value_of.get(normalized(name)) for value, name in expected.items()}
    for own, name in found.items():
        number = _default_number(name)
        if number in matched and matched[number] is None:
            matched[number] = own
    if not found.keys() <= set(matched.values()):
        raise GenSegError(
            f"the cases have the labels {format_labels(found)}, but the preset expects "
            f"{format_labels(expected)}; rename the labels of the cases or choose another preset"
        )
    free = (value for value in itertools.count(1) if value not in found)
    return {old: next(free) if new is None else new for old, new in matched.items()}


def _default_number(name: str) -> int | None:
    """Return 2 for "Label 2" and "Segment_2", None for other names."""
    default = _DEFAULT_NAME.fullmatch(normalized(name))
    return int(default.group(1)) if default else None


def _values_by_name(classes: Mapping[int, str]) -> dict[str, int]:
    return {normalized(name): value for value, name in reversed(list(classes.items()))}


def normalized(name: str) -> str:
    """Return a name without differences in case and spaces."""
    return " ".join(name.split()).casefold()


def closest_name(name: str, names: Iterable[str]) -> str:
    """Return the name among these of which another one is a misspelling; "" if there is none.

    Numbers and single letters, as of vertebrae and sides, distinguish classes.
    """
    known = {normalized(each): each for each in names if _marks(each) == _marks(name)}
    found = get_close_matches(normalized(name), known, 1, _MIN_SIMILARITY)
    return known[found[0]] if found else ""


def _marks(name: str) -> list[str]:
    return _NUMBER_OR_LETTER.findall(normalized(name).replace("_", " "))


def format_labels(labels: Mapping[int, str]) -> str:
    """Format a label map for messages: "1 Anterior, 2 Posterior"."""
    return ", ".join(f"{value} {name}" for value, name in sorted(labels.items()))
