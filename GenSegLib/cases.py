"""The data model of a training's input: cases with persons and roles, label map and modality."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from .case_annotation import COMPLETE, Annotation, split_special
from .errors import GenSegError
from .label_maps import check_labels, normalized, parse_labels
from .nesting import check_includes, parse_includes

MODALITIES = ("MR", "CT", "")
PERSON_KEYS = ("person", "subject", "patient")


class Role(str, Enum):
    """What a case is used for."""

    TRAIN = "train"
    VALIDATE = "validate"
    UNLABELED = "unlabeled"


@dataclass(frozen=True)
class Case:
    """An image and, unless its role is `unlabeled`, its label volume.

    Attributes:
        name: used for file names, see `images.file_names.valid_file_name`.
        image: file, or folder of a DICOM series; of the first channel if `others` are given.
        label: file; None if there is none.
        role: what the case is used for.
        person: whom the image shows; "" if no other case may show the same person.
        others: files of further channels, on the grid of the first.
        annotation: which classes and voxels of the label were annotated.
        further_labels: further files of the label, such as one mask for each lesion.
        label_classes: name of the class in each file of the label; empty if the files have values.

    Raises:
        GenSegError: the name cannot be part of a file name.
    """

    name: str
    image: Path
    label: Path | None = None
    role: Role = Role.TRAIN
    person: str = ""
    others: tuple[Path, ...] = ()
    annotation: Annotation = COMPLETE
    further_labels: tuple[Path, ...] = ()
    label_classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or self.name in (".", "..") or any(c in self.name for c in "/\\\n\0"):
            raise GenSegError(
                f"the case name {self.name!r} cannot be used as a file name; rename the case"
            )

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of the image, in the order of its channels."""
        return (self.image, *self.others)

    @property
    def labels(self) -> tuple[Path, ...]:
        """The files of the label; none if there is no label."""
        return () if self.label is None else (self.label, *self.further_labels)

    @property
    def is_labeled(self) -> bool:
        """Whether the case has a label for training or validation."""
        return self.label is not None and self.role is not Role.UNLABELED

    @property
    def person_or_name(self) -> str:
        """The person, or the case's own name if it has none; equal for cases of one person."""
        return self.person or self.name

    def to_json(self, base: Path | None = None) -> dict[str, Any]:
        """Return JSON values; paths are absolute, or relative to `base` if inside it."""
        images = [_path_to_json(path, base) for path in self.images]
        values: dict[str, Any] = {
            "name": self.name,
            "image": images if self.others else images[0],
            "label": self._labels_to_json(base),
            "role": self.role.value,
        }
        person = {"person": self.person} if self.person else {}
        return values | person | self.annotation.to_json()

    def _labels_to_json(self, base: Path | None) -> Any:
        """Return the path of the label, a list of paths, or paths by class name."""
        paths = [_path_to_json(path, base) for path in self.labels]
        if not self.label_classes:
            return paths if self.further_labels else next(iter(paths), None)
        by_class: dict[str, list[str]] = {}
        for name, path in zip(self.label_classes, paths):
            by_class.setdefault(name, []).append(path)
        return by_class

    @classmethod
    def from_json(cls, entry: object, base: Path) -> Case:
        """Read what `to_json` returned; relative paths start at `base`.

        Raises:
            GenSegError: a value is missing or invalid.
        """
        if not isinstance(entry, Mapping):
            raise GenSegError(f'an entry of "cases" is {entry!r}, not an object')
        name, images = entry.get("name"), entry.get("image")
        images = [images] if isinstance(images, str) else images
        are_paths = isinstance(images, list) and all(isinstance(path, str) for path in images)
        if not isinstance(name, str) or not images or not are_paths:
            raise GenSegError(f'an entry of "cases" lacks "name" or "image": {dict(entry)}')
        labels, classes = parse_label_files(name, entry.get("label"))
        try:
            role = Role(entry.get("role", Role.TRAIN if labels else Role.UNLABELED))
        except ValueError:
            known = ", ".join(role.value for role in Role)
            raise GenSegError(f'case {name}: "role" must be one of {known}') from None
        if not labels and role is not Role.UNLABELED:
            raise GenSegError(f"case {name}: the role is {role.value}, but there is no label")
        person = read_person(entry)
        first, *others = (base / path for path in images)
        files = tuple(base / path for path in labels)
        try:
            annotation = Annotation.from_json(entry)
        except GenSegError as error:
            raise GenSegError(f"case {name}: {error}") from None
        return cls(
            name,
            first,
            files[0] if files else None,
            role,
            person,
            tuple(others),
            annotation,
            files[1:],
            classes,
        )


@dataclass(frozen=True)
class CaseSet:
    """Cases of one task.

    Attributes:
        cases: with unique names.
        labels: names of the label values, without background; empty if unknown.
        modality: "MR", "CT", or "" if unknown.
        notes: what was assumed when the cases were read, for the user; not in `to_json`.
        includes: names of the classes within a class, see `nesting`.

    Raises:
        GenSegError: names are not unique, or a label value, modality or nesting is invalid.
    """

    cases: tuple[Case, ...]
    labels: dict[int, str] = field(default_factory=dict)
    modality: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False)
    includes: dict[str, tuple[str, ...]] = field(default_factory=dict)

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
        check_includes(self.includes)
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
        """Return the labeled cases, permuted by `numpy.random.RandomState`, person by person.

        Cases of one person follow each other, sorted by name. Where each case shows a person of
        its own, this is the permutation of the cases sorted by name.
        """
        groups = _by_person(self.labeled)
        return [case for k in permutation(len(groups), seed) for case in groups[k]]

    def subset(self, labeled: int, seed: int) -> CaseSet:
        """Keep the first `labeled` cases of `shuffled_labeled`, and unlabeled ones.

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

    def with_validation(
        self, fraction: float, seed: int, training_only: Collection[str] = ()
    ) -> CaseSet:
        """Assign a fraction of the labeled cases to validation, unless some already are.

        All cases of a person get the same role, so the fraction is approximate. At least one
        person is assigned and at least one is left for training; none is assigned if there is only
        one, or if the fraction is 0. Unlabeled cases of validation persons are left out, since
        training on them would make the validation too optimistic.

        Args:
            fraction: of the labeled cases.
            seed: of the permutation of the persons.
            training_only: names of cases whose persons stay in training, such as the only ones
                with a class.

        Raises:
            GenSegError: no labeled case has the role `train`.
        """
        training = [case for case in self.labeled if case.role is Role.TRAIN]
        if not training:
            raise GenSegError("there are no labeled cases to train on; add labeled cases")
        persons = {case.person_or_name for case in self.of_role(Role.VALIDATE)}
        assigned: set[str] = set()
        if not persons and fraction > 0:
            assigned = _validation_persons(training, fraction, seed, training_only)
        cases = _with_validation(self.cases, assigned, persons | assigned)
        return dataclasses.replace(self, cases=tuple(cases))

    def to_json(self, base: Path | None = None) -> dict[str, Any]:
        """Return JSON values; paths are absolute, or relative to `base` if inside it."""
        includes = {outer: list(inner) for outer, inner in self.includes.items()}
        return {
            "modality": self.modality,
            "labels": {str(value): name for value, name in sorted(self.labels.items())},
            **({"includes": includes} if includes else {}),
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
        labels, special = split_special(parse_labels(values.get("labels", {})))
        read = [Case.from_json(entry, base) for entry in entries]
        labels = labels or _classes_of_files(read)
        return cls(
            cases=tuple(with_values(case, special) for case in read),
            labels=labels,
            modality=modality,
            includes=parse_includes(values.get("includes", {})),
        )


def parse_label_files(name: str, values: object) -> tuple[list[str], tuple[str, ...]]:
    """Return the paths of a case's label and the class of each.

    Args:
        name: of the case.
        values: as in `cases.json`: a path, a list of paths, or paths by class.

    Raises:
        GenSegError: the values are something else.
    """
    by_class: Mapping[Any, Any] = values if isinstance(values, Mapping) else {"": values}
    found = [
        (str(own), path)
        for own, paths in by_class.items()
        for path in (paths if isinstance(paths, list) else [paths])
        if path is not None
    ]
    if not all(isinstance(path, str) for _, path in found):
        raise GenSegError(
            f'case {name}: "label" must be a path, a list of paths or an object of class names and '
            f"paths, not {values!r}"
        )
    classes = tuple(own for own, _ in found) if isinstance(values, Mapping) else ()
    return [path for _, path in found], classes


def _classes_of_files(cases: Iterable[Case]) -> dict[int, str]:
    """Return the classes that label files are listed by, in the order of their names."""
    names = {normalized(name): name for case in cases for name in case.label_classes}
    return dict(enumerate((names[key] for key in sorted(names)), 1))


def read_person(entry: Mapping[str, Any]) -> str:
    """Return the person of an entry of a list, under any of the usual keys; "" if there is none."""
    return next((str(entry[key]) for key in PERSON_KEYS if entry.get(key) is not None), "")


def with_values(case: Case, values: Mapping[int, int]) -> Case:
    """Give values in a case's label file a meaning, see `Annotation.values`."""
    if not values:
        return case
    annotation = dataclasses.replace(case.annotation, values={**values, **case.annotation.values})
    return dataclasses.replace(case, annotation=annotation)


def _by_person(cases: Iterable[Case]) -> list[list[Case]]:
    """Group cases by person; persons and their cases are sorted by case name."""
    groups: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: case.name):
        groups.setdefault(case.person_or_name, []).append(case)
    return list(groups.values())


def _validation_persons(
    training: Sequence[Case], fraction: float, seed: int, training_only: Collection[str]
) -> set[str]:
    """Select persons at random until their cases are as near to the fraction as possible.

    Those with cases in which most classes were annotated come first: others cannot be validated.
    """
    groups = _by_person(training)
    shuffled = [groups[k] for k in permutation(len(groups), seed)]
    shuffled.sort(key=lambda group: min(case.annotation.hidden_classes for case in group))
    fixed = [any(case.name in training_only for case in group) for group in shuffled]
    available = [group for group, is_fixed in zip(shuffled, fixed) if not is_fixed] or shuffled
    if len(available) == len(groups):  # one person at least is for training
        available = available[:-1]
    wanted = min(max(round(fraction * len(training)), 1), len(training) - 1)
    selected: set[str] = set()
    count = 0
    for group in available:
        if selected and abs(count + len(group) - wanted) >= abs(count - wanted):
            break
        selected.add(group[0].person_or_name)
        count += len(group)
    return selected


def _with_validation(
    cases: Iterable[Case], assigned: Collection[str], validation: Collection[str]
) -> Iterator[Case]:
    """Yield the cases, those of assigned persons for validation; no unlabeled ones of `validation`.

    Args:
        cases: the cases.
        assigned: persons whose training cases become validation cases.
        validation: all persons with validation cases.
    """
    for case in cases:
        if case.role is Role.UNLABELED and case.person_or_name in validation:
            continue
        if case.role is Role.TRAIN and case.person_or_name in assigned:
            yield dataclasses.replace(case, role=Role.VALIDATE)
        else:
            yield case


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
