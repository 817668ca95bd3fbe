"""What a training is given: cases with their roles, the label map and the modality."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from .errors import GenSegError
from .label_maps import check_labels, parse_labels

MODALITIES = ("MR", "CT", "")


class Role(str, Enum):
    """What a case is for."""

    TRAIN = "train"
    VALIDATE = "validate"
    UNLABELED = "unlabeled"


@dataclass(frozen=True)
class Case:
    """One image and, unless its role is `unlabeled`, its label volume; the name is unique.

    Raises:
        GenSegError: the name cannot be part of a file name.
    """

    name: str
    image: Path
    label: Path | None = None
    role: Role = Role.TRAIN

    def __post_init__(self) -> None:
        if not self.name or self.name in (".", "..") or any(c in self.name for c in "/\\\n\0"):
            raise GenSegError(f"the case name {self.name!r} cannot be a file name; rename the case")

    @property
    def is_labeled(self) -> bool:
        """Whether the case brings a label to train or to validate with."""
        return self.label is not None and self.role is not Role.UNLABELED


@dataclass(frozen=True)
class CaseSet:
    """Cases with the map of label values to names (background left out; empty where unknown).

    `modality` is "MR", "CT" or "" where unknown.

    Raises:
        GenSegError: two cases have one name, or a label value or modality is out of range.
    """

    cases: tuple[Case, ...]
    labels: dict[int, str] = field(default_factory=dict)
    modality: str = ""

    def __post_init__(self) -> None:
        # many a drive of Windows and macOS takes names for one that differ in capitals alone
        repeated = [name for name, n in Counter(map(_folded, self.cases)).items() if n > 1]
        if repeated:
            alike = dict.fromkeys(c.name for c in self.cases if _folded(c) == repeated[0])
            raise GenSegError(
                f"several cases are named {' or '.join(alike)}; give each its own name, which "
                "differs from others in more than capitals"
            )
        check_labels(self.labels)
        if self.modality not in MODALITIES:
            raise GenSegError(f'the modality {self.modality!r} is none of "MR", "CT" and ""')

    def of_role(self, role: Role) -> tuple[Case, ...]:
        """The cases of one role, in their order."""
        return tuple(case for case in self.cases if case.role is role)

    @property
    def labeled(self) -> tuple[Case, ...]:
        """The cases that bring a label, training and validation ones alike."""
        return tuple(case for case in self.cases if case.is_labeled)

    def in_protocol_order(self, seed: int) -> list[Case]:
        """Give the labeled cases, sorted by name and permuted by `numpy.random.RandomState`."""
        available = sorted(self.labeled, key=lambda case: case.name)
        return [available[k] for k in permuted(len(available), seed)]

    def low_data(self, labeled: int, seed: int) -> CaseSet:
        """Keep `labeled` of the labeled cases, drawn as the low-data protocol says.

        The first `labeled` of `in_protocol_order` stay, the other labeled ones are dropped. So
        with one seed the smaller set is part of the larger one.

        Raises:
            GenSegError: fewer cases are labeled than asked for.
        """
        available = self.in_protocol_order(seed)
        if not 1 <= labeled <= len(available):
            raise GenSegError(
                f"{labeled} labeled cases are asked for and {len(available)} are there; "
                f"ask for 1 to {len(available)}"
            )
        kept = {case.name for case in available[:labeled]}
        cases = (case for case in self.cases if not case.is_labeled or case.name in kept)
        return dataclasses.replace(self, cases=tuple(cases))

    def with_validation(self, share: float, seed: int) -> CaseSet:
        """Hold back a share of the labeled cases for validation, unless some already are.

        At least one case is held back and at least one is left; none is held back where there is
        only one, or where the share is 0.

        Raises:
            GenSegError: there is no labeled case with the role `train`.
        """
        training = sorted(c.name for c in self.labeled if c.role is Role.TRAIN)
        if not training:
            raise GenSegError("no case with a label is there to train on; add labeled cases")
        if self.of_role(Role.VALIDATE) or len(training) == 1 or share <= 0:
            return self
        count = min(max(round(share * len(training)), 1), len(training) - 1)
        held_back = {training[k] for k in permuted(len(training), seed)[:count]}
        cases = (
            dataclasses.replace(case, role=Role.VALIDATE) if case.name in held_back else case
            for case in self.cases
        )
        return dataclasses.replace(self, cases=tuple(cases))

    def to_json(self, base: Path | None = None) -> dict[str, Any]:
        """The set as JSON values; paths are absolute, those inside `base` relative to it."""
        return {
            "modality": self.modality,
            "labels": {str(value): name for value, name in sorted(self.labels.items())},
            "cases": [_case_to_json(case, base) for case in self.cases],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], base: Path) -> CaseSet:
        """Read what `to_json` wrote; relative paths start at `base`.

        Raises:
            GenSegError: an entry is missing or of the wrong kind.
        """
        entries = values.get("cases")
        if not isinstance(entries, list):
            raise GenSegError('there is no list "cases"')
        modality = values.get("modality", "")
        if not isinstance(modality, str):
            raise GenSegError(f'"modality" is {modality!r}, not a text')
        return cls(
            cases=tuple(_case_from_json(entry, base) for entry in entries),
            labels=parse_labels(values.get("labels", {})),
            modality=modality,
        )


def _folded(case: Case) -> str:
    return case.name.casefold()


def _case_to_json(case: Case, base: Path | None) -> dict[str, str | None]:
    return {
        "name": case.name,
        "image": _path_to_json(case.image, base),
        "label": None if case.label is None else _path_to_json(case.label, base),
        "role": case.role.value,
    }


def _path_to_json(path: Path, base: Path | None) -> str:
    absolute = path.absolute()
    if base is not None and absolute.is_relative_to(base.absolute()):
        absolute = absolute.relative_to(base.absolute())
    return absolute.as_posix()


def _case_from_json(entry: object, base: Path) -> Case:
    if not isinstance(entry, Mapping):
        raise GenSegError(f'an entry of "cases" is {entry!r}, not an object')
    name, image, label = entry.get("name"), entry.get("image"), entry.get("label")
    if not isinstance(name, str) or not isinstance(image, str):
        raise GenSegError('an entry of "cases" lacks its "name" or its "image"')
    if label is not None and not isinstance(label, str):
        raise GenSegError(f'case {name}: "label" is {label!r}, not a path')
    unstated = Role.UNLABELED if label is None else Role.TRAIN
    try:
        role = Role(entry.get("role", unstated))
    except ValueError:
        known = ", ".join(role.value for role in Role)
        raise GenSegError(f"case {name}: the role is none of {known}") from None
    if label is None and role is not Role.UNLABELED:
        raise GenSegError(f"case {name}: the role is {role.value} but there is no label")
    return Case(name, base / image, None if label is None else base / label, role)


def permuted(count: int, seed: int) -> list[int]:
    """Give the numbers from 0 to `count` - 1 as `numpy.random.RandomState` permutes them."""
    import numpy as np  # half of the time that `genseg --help` would take

    order: list[int] = np.random.RandomState(seed).permutation(count).tolist()
    return order
