"""What the label of a case says: which classes were annotated, and in which voxels.

Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from .errors import GenSegError
from .label_maps import BACKGROUND, IGNORE, MAX_LABEL, normalized, special_value

PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""The anatomical axis (right, anterior, superior) across which the slices of a plane lie."""

_VALUE_NAMES = {IGNORE: "ignore", BACKGROUND: "background"}


class ClassState(str, Enum):
    """Whether a class was annotated in a case."""

    ANNOTATED = "annotated"
    ABSENT = "absent"
    NOT_ANNOTATED = "not annotated"


@dataclass(frozen=True)
class Annotation:
    """What the label of a case says, beyond its voxels.

    Attributes:
        classes: state of classes by their names; others are annotated.
        only_slices: plane ("axial", "coronal" or "sagittal") whose slices without any segment
            nobody annotated; "" if all slices were.
        scribbles: nobody annotated the voxels without a segment.
        values: meaning of values in the label file: another value, `IGNORE` or `BACKGROUND`.
        segments: value, or 0, of segments by the names of classes that are not learned; it holds
            where the label has names, `values` where it has none.

    Raises:
        GenSegError: the plane is unknown.
    """

    classes: Mapping[str, ClassState] = field(default_factory=dict, hash=False)
    only_slices: str = ""
    scribbles: bool = False
    values: Mapping[int, int] = field(default_factory=dict, hash=False)
    segments: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.only_slices not in ("", *PLANES):
            raise GenSegError(
                f'"only_slices" must be one of {", ".join(PLANES)}, not {self.only_slices!r}'
            )

    def state(self, name: str) -> ClassState:
        """Return the state of a class; upper and lower case and spaces do not matter."""
        states = {normalized(key): state for key, state in self.classes.items()}
        return states.get(normalized(name), ClassState.ANNOTATED)

    @property
    def hidden_classes(self) -> int:
        """Number of classes that nobody annotated."""
        return sum(state is ClassState.NOT_ANNOTATED for state in self.classes.values())

    def of_classes(self, names: Iterable[str]) -> Annotation:
        """Return the annotation without what it says of other classes."""
        known = {normalized(name) for name in names}
        kept = {name: each for name, each in self.classes.items() if normalized(name) in known}
        return replace(self, classes=kept)

    def renamed(self, class_map: Mapping[str, str]) -> Annotation:
        """Return the annotation with new names of classes; those that are a new name stay.

        Args:
            class_map: new name by former name; "" for none.
        """
        new = set(class_map.values())
        classes = {
            name if name in new else class_map.get(name) or name: state
            for name, state in self.classes.items()
        }
        return replace(self, classes=classes)

    def names_with(self, state: ClassState, names: Iterable[str]) -> list[str]:
        """Return the names among these whose class has a state."""
        return [name for name in names if self.state(name) is state]

    def to_json(self) -> dict[str, Any]:
        """Return the keys of a case's entry in `cases.json` that are not the default."""
        values = {str(own): _VALUE_NAMES.get(new, new) for own, new in self.values.items()}
        entries = {
            "classes": {name: state.value for name, state in self.classes.items()},
            "only_slices": self.only_slices,
            "scribbles": self.scribbles,
            "values": values,
            "segments": dict(self.segments),
        }
        return {key: value for key, value in entries.items() if value}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Annotation:
        """Read the keys of `to_json` from a case's entry.

        Raises:
            GenSegError: a value is invalid.
        """
        scribbles = entry.get("scribbles", False)
        if not isinstance(scribbles, bool):
            raise GenSegError(f'"scribbles" must be true or false, not {scribbles!r}')
        return cls(
            _parse_states(entry.get("classes", {})),
            str(entry.get("only_slices") or ""),
            scribbles,
            _parse_values(entry.get("values", {})),
            _parse_segments(entry.get("segments", {})),
        )


COMPLETE = Annotation()
"""Every class is annotated in every voxel."""


def split_special(labels: Mapping[int, str]) -> tuple[dict[int, str], dict[int, int]]:
    """Return the classes of a label map, and `IGNORE` or `BACKGROUND` of its other values.

    nnU-Net v2 lists the value of voxels to ignore among the labels, by the name "ignore".
    """
    special = {value: mark for value, name in labels.items() if (mark := special_value(name))}
    return {value: name for value, name in labels.items() if value not in special}, special


def _parse_states(states: object) -> dict[str, ClassState]:
    known = ", ".join(f'"{state.value}"' for state in ClassState)
    if not isinstance(states, Mapping):
        raise GenSegError(f'"classes" must be an object of class names and one of {known}')
    parsed = {}
    for name, state in states.items():
        try:
            parsed[str(name)] = ClassState(state)
        except ValueError:
            raise GenSegError(f'"classes": {name} is {state!r}, not one of {known}') from None
    return parsed


def _parse_values(values: object) -> dict[int, int]:
    marks: dict[Any, int] = {name: mark for mark, name in _VALUE_NAMES.items()}
    try:
        if not isinstance(values, Mapping):
            raise TypeError
        found = {int(own): marks[new] if new in marks else int(new) for own, new in values.items()}
    except (TypeError, ValueError):
        raise GenSegError(
            f'"values" must be an object such as {{"3": "ignore"}}, not {values!r}'
        ) from None
    for own, new in found.items():
        if new not in marks.values() and not 0 <= new <= MAX_LABEL:
            raise GenSegError(f'"values": {own} cannot become {new}, outside 0..{MAX_LABEL}')
    return found


def _parse_segments(segments: object) -> dict[str, int]:
    if not isinstance(segments, Mapping) or not all(
        isinstance(value, int) and 0 <= value <= MAX_LABEL for value in segments.values()
    ):
        raise GenSegError(f'"segments" must be an object such as {{"Tumor": 0}}, not {segments!r}')
    return {str(name): value for name, value in segments.items()}
