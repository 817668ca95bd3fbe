"""The data model of a training's input: cases with roles, label map and modality."""

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
    """What a case is used for."""

    TRAIN = "train"
    VALIDATE = "validate"
    UNLABELED = "unlabeled"


@dataclass(frozen=True)
class Case:
    """An image and, unless its role is `unlabeled`, its label volume.

    Raises:
        GenSegError: the name cannot be part of a file name.
    """

    name: str
    image: Path
    label: Path | None = None
    role: Role = Role.TRAIN

    def __post_init__(self) -> None:
        if not self.name or self.name in (".", "..") or any(c in self.name for c in "/\\\n\0"):
            raise GenSegError(
                f"the case name {self.name!r} cannot be used as a file name; rename the case"
            )

    @property
    def is_labeled(self) -> bool:
        """Whether the case has a label for training or validation."""
        return self.label is not None and self.role is not Role.UNLABELED

    def to_json(self, base: Path | None = None) -> dict[str, str | None]:
        """Return JSON values; paths are absolute, or relative to `base` if inside it."""
        return {
            "name": self.name,
            "image": _path_to_json(self.image, base),
            "label": None if self.label is None else _path_to_json(self.label, base),
            "role": self.role.value,
        }

    @classmethod
    def from_json(cls, entry: object, base: Path) -> Case:
        """Read what `to_json` returned; relative paths start at `base`.

        Raises:
            GenSegError: a value is missing or invalid.
        """
        if not isinstance(entry, Mapping):
            raise GenSegError(f'an entry of "cases" is {entry!r}, not an object')
        name, image, label = entry.get("name"), entry.get("image"), entry.get("label")
        if not isinstance(name, str) or not isinstance(image, str):
            raise GenSegError('an entry of "cases" lacks "name" or "image"')
        if label is not None and not isinstance(label, str):
            raise GenSegError(f'case {name}: "label" must be a path, not {label!r}')
        try:
            role = Role(entry.get("role", Role.UNLABELED if label is None else Role.TRAIN))
        except ValueError:
            known = ", ".join(role.value for role in Role)
            raise GenSegError(f'case {name}: "role" must be one of {known}') from None
        if label is None and role is not Role.UNLABELED:
            raise GenSegError(f"case {name}: the role is {role.value}, but there is no label")
        return cls(name, base / image, None if label is None else base / label, role)


@dataclass(frozen=True)
class CaseSet:
    """Cases of one task.

    Attributes:
        cases: with unique names.
        labels: names of the label values, without background; empty if unknown.
        modality: "MR", "CT", or "" if unknown.

    Raises:
        GenSegError: names are not unique, or a label value or modality is invalid.
    """

    cases: tuple[Case, ...]
    labels: dict[int, str] = field(default_factory=dict)
    modality: str = ""

    def __post_init__(self) -> None:
        # file systems of Windows and macOS are often case-insensitive
        counts = Counter(case.name.casefold() for case in self.cases)
        repeated = [name for name, count in counts.items() if count > 1]
        if repeated:
            same = [case.name for case in self.cases if case.name.casefold() == repeated[0]]
            raise GenSegError(
                f"several cases are named {' or '.join(dict.fromkeys(same))}; rename them so that "
                "their names differ in more than upper and lower case"
            )
        check_labels(self.labels)
        if self.modality not in MODALITIES:
            raise GenSegError(f'the modality must be "MR", "CT" or "", not {self.modality!r}')

    def of_role(self, role: Role) -> tuple[Case, ...]:
        """Return the cases of one role."""
        return tuple(case for case in self.cases if case.role is role)

    @property
    def labeled(self) -> tuple[Case, ...]:
        """The cases with a label, for training and validation."""
        return tuple(case for case in self.cases if case.is_labeled)

    def shuffled_labeled(self, seed: int) -> list[Case]:
        """Return the labeled cases, sorted by name and permuted by `numpy.random.RandomState`."""
        available = sorted(self.labeled, key=lambda case: case.name)
        return [available[k] for k in permutation(len(available), seed)]

    def subset(self, labeled: int, seed: int) -> CaseSet:
        """Keep the first `labeled` cases of `shuffled_labeled`, and all unlabeled ones.

        With the same seed, smaller subsets are part of larger ones.

        Raises:
            GenSegError: there are fewer labeled cases.
        """
        available = self.shuffled_labeled(seed)
        if not 1 <= labeled <= len(available):
            raise GenSegError(
                f"{labeled} labeled cases were requested, but there are {len(available)}; request "
                f"1 to {len(available)}"
            )
        selected = {case.name for case in available[:labeled]}
        cases = (case for case in self.cases if not case.is_labeled or case.name in selected)
        return dataclasses.replace(self, cases=tuple(cases))

    def with_validation(self, fraction: float, seed: int) -> CaseSet:
        """Assign a fraction of the labeled cases to validation, unless some already are.

        At least one case is assigned and at least one is left for training; none is assigned if
        there is only one, or if the fraction is 0.

        Raises:
            GenSegError: no labeled case has the role `train`.
        """
        training = sorted(case.name for case in self.labeled if case.role is Role.TRAIN)
        if not training:
            raise GenSegError("there are no labeled cases to train on; add labeled cases")
        if self.of_role(Role.VALIDATE) or len(training) == 1 or fraction <= 0:
            return self
        count = min(max(round(fraction * len(training)), 1), len(training) - 1)
        validation = {training[k] for k in permutation(len(training), seed)[:count]}
        cases = (
            dataclasses.replace(case, role=Role.VALIDATE) if case.name in validation else case
            for case in self.cases
        )
        return dataclasses.replace(self, cases=tuple(cases))

    def to_json(self, base: Path | None = None) -> dict[str, Any]:
        """Return JSON values; paths are absolute, or relative to `base` if inside it."""
        return {
            "modality": self.modality,
            "labels": {str(value): name for value, name in sorted(self.labels.items())},
            "cases": [case.to_json(base) for case in self.cases],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], base: Path) -> CaseSet:
        """Read what `to_json` returned; relative paths start at `base`.

        Raises:
            GenSegError: a value is missing or invalid.
        """
        entries = values.get("cases")
        if not isinstance(entries, list):
            raise GenSegError('"cases" must be a list')
        modality = values.get("modality", "")
        if not isinstance(modality, str):
            raise GenSegError(f'"modality" must be a text, not {modality!r}')
        return cls(
            cases=tuple(Case.from_json(entry, base) for entry in entries),
            labels=parse_labels(values.get("labels", {})),
            modality=modality,
        )


def _path_to_json(path: Path, base: Path | None) -> str:
    absolute = path.absolute()
    if base is not None and absolute.is_relative_to(base.absolute()):
        absolute = absolute.relative_to(base.absolute())
    return absolute.as_posix()


def permutation(count: int, seed: int) -> list[int]:
    """Return a permutation of 0 to `count` - 1 by `numpy.random.RandomState`."""
    import numpy as np  # slow to import

    order: list[int] = np.random.RandomState(seed).permutation(count).tolist()
    return order
