"""Annotations of a parameter's type: its default, its validators, and hints for widgets."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "Decimals",
    "Default",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "Validator",
    "WithinRange",
    "findFirstAnnotation",
    "splitAnnotations",
    "unannotatedType",
]


class Default:
    """The initial value of a parameter; a generator is called for each new node."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value = value
        self._generator = generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator is not None else self._value


@dataclass
class Decimals:
    value: int


@dataclass
class SingleStep:
    value: float


class Validator(ABC):
    """Raises an error for values that are not allowed."""

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
            raise ValueError(f"Value must be in [{self.minimum}, {self.maximum}], is {value}")


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


def splitAnnotations(datatype: Any) -> tuple[Any, list[Any]]:
    """Split an annotated type into the type and the list of its annotations."""
    if typing.get_origin(datatype) is typing.Annotated:
        bare, *annotations = typing.get_args(datatype)
        return bare, annotations
    return datatype, []


def unannotatedType(datatype: Any) -> Any:
    return splitAnnotations(datatype)[0]


def findFirstAnnotation(annotations: Sequence[Any], kind: type) -> Any:
    """The first annotation of a class, or None."""
    return next((each for each in annotations if isinstance(each, kind)), None)
