"""Qt properties for the host's widgets, in one line each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Property, QObject


def stored(kind: str, name: str, first: Any, then: Callable[[Any], None] | None = None) -> Property:
    """A property that remembers what it was set to, and may act on it.

    Args:
        kind: the C++ type's name.
        name: the property's name.
        first: its value right after construction.
        then: called with the object after each change.
    """
    key = f"_{name}"

    def read(self: QObject) -> Any:
        return vars(self).get(key, first)

    def write(self: QObject, value: Any) -> None:
        if value != read(self):
            vars(self)[key] = value
            if then is not None:
                then(self)

    return Property(kind, read, write)


def forwarded(kind: str, part: str, name: str) -> Property:
    """A property that belongs to a child of the widget: `part` is the child's attribute."""

    def read(self: QObject) -> Any:
        return getattr(vars(self)[part], name)

    def write(self: QObject, value: Any) -> None:
        setattr(vars(self)[part], name, value)

    return Property(kind, read, write)


def add_setters(kind: type) -> None:
    """Give every property of a class its C++ setter: `decimals` has `setDecimals`."""
    for name, each in list(vars(kind).items()):
        setter = "set" + name[0].upper() + name[1:]
        if isinstance(each, Property) and not hasattr(kind, setter):
            setattr(kind, setter, _setter(name))


def _setter(name: str) -> Callable[[QObject, Any], None]:
    def set_property(self: QObject, value: Any) -> None:
        setattr(self, name, value)

    return set_property
