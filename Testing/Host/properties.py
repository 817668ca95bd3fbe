"""Qt properties of the host's widgets, and the registry of widget classes for `.ui` files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Property, QObject
from PySide6.QtWidgets import QWidget

#: Widget classes in addition to Qt's, by their name in `.ui` files.
widget_classes: dict[str, type[QWidget]] = {}


def stored(
    cpp_type: str,
    name: str,
    initial: Any,
    on_change: Callable[[Any], None] | None = None,
) -> Property:
    """A property that keeps its value on the object and may call `on_change(object)`."""
    key = f"_{name}"

    def read(self: QObject) -> Any:
        return vars(self).get(key, initial)

    def write(self: QObject, value: Any) -> None:
        if value != read(self):
            vars(self)[key] = value
            if on_change is not None:
                on_change(self)

    return Property(cpp_type, read, write)


def forwarded(cpp_type: str, child: str, name: str) -> Property:
    """A property that reads and writes the property of a child; `child` is an attribute."""

    def read(self: QObject) -> Any:
        return getattr(vars(self)[child], name)

    def write(self: QObject, value: Any) -> None:
        setattr(vars(self)[child], name, value)

    return Property(cpp_type, read, write)


def registered(kind: type[QWidget]) -> type[QWidget]:
    """Class decorator: let `.ui` files name the class, and add its properties' C++ setters."""
    for name, each in list(vars(kind).items()):
        setter = "set" + name[0].upper() + name[1:]
        if isinstance(each, Property) and not hasattr(kind, setter):
            setattr(kind, setter, _setter(name))
    widget_classes[kind.__name__] = kind
    return kind


def _setter(name: str) -> Callable[[QObject, Any], None]:
    def set_property(self: QObject, value: Any) -> None:
        setattr(self, name, value)

    return set_property
