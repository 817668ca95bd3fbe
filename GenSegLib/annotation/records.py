"""Records of corrected drafts: how good each draft was and how long its correction took.

A file of JSON lines that only grows: a line that a crash left incomplete, or that another program
damaged, is skipped when the file is read. Light: the standard library and numpy only.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GenSegError
from ..files import append_line
from ..settings import at_least, between, one_of, require, setting, validate

FILE = "annotations.jsonl"
ACTIONS = ("accepted", "skipped")


@dataclass(frozen=True)
class AnnotationRecord:
    """What became of the draft of one case.

    Attributes:
        case: name.
        number: 1 for the first case of the loop, 2 for the second, and so on.
        dice: of the draft against what the user made of it, mean over the classes; None without a
            draft.
        seconds: that the user spent on the case.
        model: name of the model that made the draft; "" without a draft.
        trained_cases: labeled cases that this model had learned from.
        strategy: by which the case was selected.
        action: whether the user accepted or skipped it.
        classes: Dice by class name; None for a class that neither has.
        time: seconds since 1970.

    Raises:
        GenSegError: a value is invalid; the message names the entry.
    """

    case: str
    number: int = setting(at_least(1))
    dice: float | None = setting(between(0, 1), None)
    seconds: float = setting(at_least(0), 0.0)
    model: str = ""
    trained_cases: int = setting(at_least(0), 0)
    strategy: str = "order"
    action: str = setting(one_of(ACTIONS), "accepted")
    classes: dict[str, float | None] = field(default_factory=dict)
    time: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        """Validate the entries."""
        validate(self)
        require(isinstance(self.classes, dict), "classes", "an object")


@dataclass(frozen=True)
class Records:
    """The records of a file in the order of their lines, and the number of unreadable lines."""

    records: tuple[AnnotationRecord, ...]
    unreadable: int = 0


@dataclass(frozen=True)
class CurvePoint:
    """Dice of a draft by a model that had learned from this many cases."""

    cases: int
    dice: float


def append_record(path: Path, record: AnnotationRecord) -> None:
    """Add a record to a file, which is created if it is missing.

    Raises:
        GenSegError: the disk is full, or the file cannot be written.
    """
    append_line(path, json.dumps(asdict(record), ensure_ascii=False, allow_nan=False))


def read_records(path: Path) -> Records:
    """Read the records of a file; none if it is missing.

    Raises:
        GenSegError: the file cannot be read.
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")
    except FileNotFoundError:
        return Records(())
    except OSError as error:
        raise GenSegError(f"{path} cannot be read: {error.strerror}") from error
    parsed = [_parse(line) for line in lines if line.strip()]
    records = tuple(record for record in parsed if record is not None)
    return Records(records, len(parsed) - len(records))


def _parse(line: bytes) -> AnnotationRecord | None:
    try:
        values: dict[str, Any] = json.loads(line)
        return AnnotationRecord(**values)
    except (GenSegError, ValueError, TypeError):  # incomplete, of another program, or damaged
        return None


def learning_curve(records: Iterable[AnnotationRecord]) -> list[CurvePoint]:
    """Return the Dice of the drafts by the number of cases their models had learned from.

    Each case counts once, see `first_accepted`.
    """
    return [
        CurvePoint(record.trained_cases, record.dice)
        for record in first_accepted(records)
        if record.dice is not None and record.trained_cases > 0
    ]


def first_accepted(records: Iterable[AnnotationRecord]) -> list[AnnotationRecord]:
    """Return the record with which each case was accepted first.

    A case that is opened and accepted again is no honest test: the model of a later draft may have
    learned from it.
    """
    found: dict[str, AnnotationRecord] = {}
    for record in records:
        if record.action == "accepted":
            found.setdefault(record.case, record)
    return list(found.values())


class DraftDice:
    """The Dice of a draft against its correction, collected part by part.

    Args:
        names: of the label values of the classes.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self._names = dict(names)
        self._sizes = dict.fromkeys(names, 0)  # voxels of the draft and of the correction
        self._common = dict.fromkeys(names, 0)

    def add(self, draft: NDArray[Any], corrected: NDArray[Any]) -> None:
        """Add a part: label values of any, but the same, shape."""
        for value in self._names:
            first, second = draft == value, corrected == value
            self._sizes[value] += int(np.count_nonzero(first)) + int(np.count_nonzero(second))
            self._common[value] += int(np.count_nonzero(first & second))

    def result(self) -> tuple[float | None, dict[str, float | None]]:
        """Return the mean over the classes that either has, None if there is none; and by name."""
        by_class: dict[str, float | None] = {
            name: 2 * self._common[value] / self._sizes[value] if self._sizes[value] else None
            for value, name in self._names.items()
        }
        scores = [score for score in by_class.values() if score is not None]
        return (math.fsum(scores) / len(scores) if scores else None), by_class
