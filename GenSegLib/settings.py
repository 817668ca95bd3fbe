"""Validated settings: dataclass fields that carry a rule, for configurations and presets.

Light: the standard library only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass
from math import isfinite
from typing import Any

from .errors import GenSegError

MIN_SPACING, MAX_SPACING = 0.001, 50.0  # mm; micro-CT has a few micrometers


@dataclass(frozen=True)
class Rule:
    """Which values a setting accepts: a predicate, and the same in words ("1 or more")."""

    accepts: Callable[[Any], bool]
    expected: str


def one_of(choices: Sequence[Any]) -> Rule:
    """Accept the listed values."""
    return Rule(lambda value: value in choices, f"one of {', '.join(map(str, choices))}")


def at_least(lowest: float) -> Rule:
    """Accept `lowest` and everything above it."""
    return Rule(lambda value: value >= lowest, f"{lowest} or more")


def between(lowest: float, highest: float) -> Rule:
    """Accept the closed interval from `lowest` to `highest`."""
    return Rule(lambda value: lowest <= value <= highest, f"from {lowest:g} to {highest:g}")


POSITIVE = Rule(lambda value: value > 0, "above 0")
BELOW_ONE = Rule(lambda value: 0 <= value < 1, "at least 0 and below 1")


def setting(rule: Rule, default: Any = MISSING) -> Any:
    """Declare a dataclass field that `validate` checks against a rule."""
    return dataclasses.field(default=default, metadata={"rule": rule})


def validate(settings: Any) -> None:
    """Check each field of a dataclass instance: its type, then its rule.

    Fields of composite types are checked by their rule alone, None only where a field allows it.

    Raises:
        GenSegError: a value is not accepted; the message names the setting.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        kind = TYPES.get(str(field.type))
        if kind is not None:
            require(kind.accepts(value), field.name, f"{kind.expected}; it is {value!r}")
        rule = field.metadata.get("rule")
        if rule is not None and not (value is None and str(field.type).endswith("None")):
            require(rule.accepts(value), field.name, rule.expected)


def require(condition: bool, name: str, expected: str) -> None:
    """Raise `GenSegError("NAME must be EXPECTED")` unless the condition holds."""
    if not condition:
        raise GenSegError(f"{name} must be {expected}")


def is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)


def is_count(value: object) -> bool:
    """Return whether a value is an integer of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_spacing(values: Sequence[object], dims: int) -> bool:
    """Return whether values are a plausible voxel spacing in mm, one per axis."""
    return len(values) == dims and all(
        isinstance(size, (int, float)) and MIN_SPACING <= size <= MAX_SPACING for size in values
    )


def reject_unknown(names: Iterable[str], settings: type) -> None:
    """Raise GenSegError for the first name that is not a field of the dataclass `settings`."""
    known = [field.name for field in dataclasses.fields(settings)]
    for name in names:
        if name not in known:
            raise GenSegError(f"there is no setting {name!r}; the settings are {', '.join(known)}")


# by annotation, as written in the dataclass
TYPES = {
    "str": Rule(lambda value: isinstance(value, str), "a string"),
    "bool": Rule(lambda value: isinstance(value, bool), "true or false"),
    "int": Rule(lambda value: isinstance(value, int) and not isinstance(value, bool), "an integer"),
    "float": Rule(is_number, "a number"),
    "float | None": Rule(lambda value: value is None or is_number(value), "a number or none"),
}
