"""PythonQt's conventions for PySide's objects: a property is an attribute, not a method.

They are installed on `QObject` itself and therefore hold for every object, whether created in
Python, loaded from a `.ui` file, or returned by Qt.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import BuiltinMethodType, MethodType
from typing import Any

from PySide6.QtCore import Property, QObject, SignalInstance
from shiboken6 import delete

from . import signals
from .facts import facts_of

# PySide's attribute lookup by class; some classes have their own
_original_get: dict[type, Callable[[QObject, str], Any]] = {}

# Properties hidden by a function of the same name: QTimer.singleShot
_HIDDEN = frozenset({"singleShot"})

# PythonQt's name -> PySide's
_PYSIDE_NAMES = {"name": "objectName", "raise": "raise_"}


class pyside_sets_attributes:
    """Context in which PySide itself may set attributes.

    PySide stores some attributes on objects, and sets the children of a `.ui` file as attributes of
    the widget; the latter are ignored, because PythonQt does not do that.
    """

    depth = 0

    def __enter__(self) -> None:
        pyside_sets_attributes.depth += 1

    def __exit__(self, *_: object) -> None:
        pyside_sets_attributes.depth -= 1


def install() -> None:
    """Install PythonQt's conventions for all Qt objects of the process."""
    kinds = _qt_classes(QObject)
    _original_get.update({kind: kind.__getattribute__ for kind in kinds})
    for kind in kinds:
        kind.__getattribute__ = _get
        kind.__setattr__ = _set


def _qt_classes(kind: type) -> set[type]:
    derived = [each for each in kind.__subclasses__() if each.__module__.startswith("PySide6.")]
    return {kind}.union(*(_qt_classes(each) for each in derived))


def _pyside_get(self: QObject, name: str) -> Any:
    return _original_get[_pyside_class(type(self))](self, name)


@cache
def _pyside_class(kind: type) -> type:
    return next(each for each in kind.__mro__ if each in _original_get)


@cache
def _properties(kind: type) -> dict[str, bool]:
    """Qt properties of a class that exist in Qt 5, and whether each is writable."""
    meta = kind.staticMetaObject
    found = [meta.property(index) for index in range(meta.propertyCount())]
    facts = facts_of(kind)
    known = facts.properties if facts is not None else {each.name() for each in found}
    names = set(known) - _HIDDEN
    return {each.name(): each.isWritable() for each in found if each.name() in names}


def _get(self: QObject, name: str) -> Any:
    name = _PYSIDE_NAMES.get(name, name)
    if name in _properties(type(self)):
        value = _read(self, name)
        return tuple(value) if isinstance(value, list) else value
    if name in _METHODS:
        return MethodType(_METHODS[name], self)
    pyside_sets_attributes.depth += 1  # faster than the context
    try:
        value = _pyside_get(self, name)
    finally:
        pyside_sets_attributes.depth -= 1
    if isinstance(value, SignalInstance):
        if not signals.is_known(type(self), name):
            raise AttributeError(f"{_class_name(self)} has no signal '{name}' in Qt 5")
        return signals.Signal(self, name, value)
    return value


def _read(self: QObject, name: str) -> Any:
    getter = _getter(type(self), name)
    if getter is None:
        return QObject.property(self, name)
    value = _pyside_get(self, getter)
    return value() if isinstance(value, (BuiltinMethodType, MethodType)) else value


@cache
def _getter(kind: type, name: str) -> str | None:
    """Return the method or property of PySide that returns a property's value."""
    capitalized = name[0].upper() + name[1:]
    names = (f"is{capitalized}", name, f"has{capitalized}")
    return next((each for each in names if hasattr(kind, each)), None)


def _set(self: QObject, name: str, value: Any) -> None:
    name = _PYSIDE_NAMES.get(name, name)
    properties = _properties(type(self))
    if name in properties:
        if not properties[name]:
            raise AttributeError(f"Property '{name}' of {_class_name(self)} is not writable")
        _write(self, name, value)
    elif name.startswith("_") or _is_derived_in_python(type(self)):
        vars(self)[name] = value
    elif pyside_sets_attributes.depth:
        if not isinstance(value, QObject):
            vars(self)[name] = value
    else:
        raise AttributeError(
            f"'{name}' does not exist on {_class_name(self)} and creating new attributes on C++ "
            "objects is not allowed"
        )


def _is_derived_in_python(kind: type) -> bool:
    """Whether the module under test derived the class: PythonQt allows such objects attributes."""
    return not kind.__module__.startswith(("PySide6.", "Host."))


def _write(self: QObject, name: str, value: Any) -> None:
    if type(value).__module__ == "numpy" and not isinstance(value, (int, float, str)):
        raise ValueError(f"Property '{name}' does not accept a {type(value).__name__} of NumPy")
    if isinstance(value, tuple):
        value = list(value)
    declared = getattr(type(self), name, None)
    if isinstance(declared, Property):  # of a class of the host
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


# Methods that PythonQt adds to every object
_METHODS = {
    "connect": signals.connect,
    "disconnect": signals.disconnect,
    "className": _class_name,
    "delete": delete,
}
