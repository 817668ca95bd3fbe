"""What can be said about a parameter beside its type."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "FloatRange",
    "IsInstance",
    "Label",
    "Maximum",
    "Minimum",
    "NotNone",
    "RangeBounds",
    "SingleStep",
    "Validator",
    "WithinRange",
    "findFirstAnnotation",
    "splitAnnotations",
    "unannotatedType",
]


class Default:
    """The value of a parameter that has none yet; a generator is asked each time anew."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value = value
        self._generator = generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator is not None else self._value


@dataclass
class Decimals:
    """Decimals that a widget shows."""

    value: int


@dataclass
class SingleStep:
    """Step of a widget's buttons."""

    value: float


@dataclass
class Label:
    """A parameter's name for people."""

    value: str


@dataclass
class FloatRange:
    """Two numbers."""

    minimum: float
    maximum: float


class Validator(ABC):
    """Refuses values: `validate` raises."""

    @abstractmethod
    def validate(self, value: Any) -> None: ...


class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("Value must not be None")


@dataclass
class IsInstance(Validator):
    classtype: Any

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"Value must be of type {self.classtype}, not {type(value)}: {value!r}")


@dataclass
class WithinRange(Validator):
    minimum: float
    maximum: float

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must lie in [{self.minimum}, {self.maximum}], is {value}")


class RangeBounds(WithinRange):
    def validate(self, value: Any) -> None:
        for end in (value.minimum, value.maximum):
            super().validate(end)


@dataclass
class Minimum(Validator):
    minimum: float

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"Value must be at least {self.minimum}, is {value}")


@dataclass
class Maximum(Validator):
    maximum: float

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"Value must be at most {self.maximum}, is {value}")


@dataclass
class Choice(Validator):
    choices: Sequence[Any]

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"Value must be one of {self.choices}, is {value!r}")


@dataclass
class Exclude(Validator):
    excludedValues: Sequence[Any]

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"Value must not be one of {self.excludedValues}, is {value!r}")


def splitAnnotations(datatype: Any) -> tuple[Any, list[Any]]:
    """A type without its annotations, and the annotations."""
    if typing.get_origin(datatype) is typing.Annotated:
        bare, *notes = typing.get_args(datatype)
        return bare, notes
    return datatype, []


def unannotatedType(datatype: Any) -> Any:
    return splitAnnotations(datatype)[0]


def findFirstAnnotation(notes: Sequence[Any], kind: type) -> Any:
    """The first annotation of a class, or None."""
    return next((each for each in notes if isinstance(each, kind)), None)
