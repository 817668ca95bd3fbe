"""PythonQt's manner on PySide's objects: a property is an attribute and no method.

The manner is laid on `QObject` itself, so that it holds for every object however it came about:
made in Python, loaded from a `.ui` file, or handed out by Qt.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import BuiltinMethodType, MethodType
from typing import Any

from PySide6.QtCore import Property, QObject, SignalInstance
from shiboken6 import delete

from . import signals

_plain_get = QObject.__getattribute__
_unknown_ignored = False


@contextmanager
def unknown_attributes_ignored() -> Iterator[None]:
    """PySide's `.ui` loader makes children attributes of the widget; PythonQt's does not."""
    global _unknown_ignored
    _unknown_ignored = True
    try:
        yield
    finally:
        _unknown_ignored = False


def apply() -> None:
    """Give every Qt object PythonQt's manner, once and for the whole process."""
    QObject.__getattribute__ = _get
    for kind in _qt_classes(QObject):
        kind.__setattr__ = _set  # each of PySide's classes has its own


def _qt_classes(kind: type) -> set[type]:
    """The class and all that PySide derives from it."""
    derived = [each for each in kind.__subclasses__() if each.__module__.startswith("PySide6.")]
    return {kind}.union(*(_qt_classes(each) for each in derived))


@cache
def _properties(kind: type) -> dict[str, bool]:
    """Names of a class's Qt properties, and whether each can be written."""
    meta = kind.staticMetaObject
    found = (meta.property(index) for index in range(meta.propertyCount()))
    return {each.name(): each.isWritable() for each in found}


def _get(self: QObject, name: str) -> Any:
    if name == "name":  # PythonQt's short word
        name = "objectName"
    if name in _properties(type(self)):
        return _as_pythonqt_gives(_read(self, name))
    if name in _METHODS:
        return MethodType(_METHODS[name], self)
    value = _plain_get(self, name)
    if isinstance(value, SignalInstance):
        return signals.SignalOf(self, name, value)
    return value


def _read(self: QObject, name: str) -> Any:
    capital = name[0].upper() + name[1:]
    for getter in (name, f"is{capital}", f"has{capital}"):
        try:
            value = _plain_get(self, getter)
        except AttributeError:
            continue
        return value() if isinstance(value, (BuiltinMethodType, MethodType)) else value
    return QObject.property(self, name)


def _as_pythonqt_gives(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _set(self: QObject, name: str, value: Any) -> None:
    if name == "name":
        name = "objectName"
    properties = _properties(type(self))
    if name in properties:
        if not properties[name]:
            raise AttributeError(f"Property '{name}' of {_class_name(self)} is not writable")
        _write(self, name, value)
    elif name.startswith("_") or _derived_in_python(type(self)) or _is_signal(value):
        vars(self)[name] = value
    elif not _unknown_ignored:
        raise AttributeError(
            f"'{name}' does not exist on {_class_name(self)} and creating new attributes on C++ "
            "objects is not allowed"
        )


def _is_signal(value: Any) -> bool:
    """Whether PySide itself keeps a signal on the object, as it does for one from a `.ui` file."""
    return isinstance(value, SignalInstance)


def _derived_in_python(kind: type) -> bool:
    """Whether the product derived the class: PythonQt lets such objects have attributes."""
    return not kind.__module__.startswith(("PySide6.", "Host."))


def _write(self: QObject, name: str, value: Any) -> None:
    if isinstance(value, tuple):
        value = list(value)
    declared = getattr(type(self), name, None)
    if isinstance(declared, Property):  # in Python, by a class of the host
        declared.fset(self, value)
        return
    setter = getattr(type(self), "set" + name[0].upper() + name[1:], None)
    try:
        if setter is not None:
            setter(self, value)
            return
        accepted = QObject.setProperty(self, name, value)
    except TypeError:
        accepted = False
    if not accepted:
        kind = type(value).__name__
        raise ValueError(f"Property '{name}' of {_class_name(self)} does not accept a {kind}")


def _class_name(self: QObject) -> str:
    return self.metaObject().className()


# What PythonQt gives every object beside Qt's own methods.
_METHODS = {
    "connect": signals.connect,
    "disconnect": signals.disconnect,
    "className": _class_name,
    "delete": delete,
}
