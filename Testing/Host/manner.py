"""PythonQt's manner on PySide's objects: a property is an attribute and no method.

The manner is laid on `QObject` itself, so that it holds for every object however it came about:
made in Python, loaded from a `.ui` file, or handed out by Qt.
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

# PySide's own way to look attributes up, class by class: some have one of their own
_plain: dict[type, Callable[[QObject, str], Any]] = {}

# Properties that a function of the same name hides: QTimer.singleShot
_HIDDEN = frozenset({"singleShot"})

# PythonQt's name -> PySide's, where they differ
_PYSIDE_NAMES = {"name": "objectName", "raise": "raise_"}


class pyside_at_work:
    """While it lasts, PySide itself may set attributes.

    It keeps on an object some of what it finds there, and makes the children that a `.ui` file
    names attributes of the widget. The latter are dropped: PythonQt does not do that.
    """

    depth = 0

    def __enter__(self) -> None:
        pyside_at_work.depth += 1

    def __exit__(self, *_: object) -> None:
        pyside_at_work.depth -= 1


def apply() -> None:
    """Give every Qt object PythonQt's manner, once and for the whole process."""
    kinds = _qt_classes(QObject)
    _plain.update({kind: kind.__getattribute__ for kind in kinds})
    for kind in kinds:
        kind.__getattribute__ = _get
        kind.__setattr__ = _set


def _qt_classes(kind: type) -> set[type]:
    """The class and all that PySide derives from it."""
    derived = [each for each in kind.__subclasses__() if each.__module__.startswith("PySide6.")]
    return {kind}.union(*(_qt_classes(each) for each in derived))


def _plain_get(self: QObject, name: str) -> Any:
    return _plain[_pyside_class(type(self))](self, name)


@cache
def _pyside_class(kind: type) -> type:
    """The class of PySide's that a class derives from, or is."""
    return next(each for each in kind.__mro__ if each in _plain)


@cache
def _properties(kind: type) -> dict[str, bool]:
    """Names of a class's Qt properties, and whether each can be written.

    Properties that only Qt 6 has are none: the recording is of Qt 5, and the product is for both.
    """
    meta = kind.staticMetaObject
    found = [meta.property(index) for index in range(meta.propertyCount())]
    facts = facts_of(kind)
    known = facts.properties if facts is not None else {each.name() for each in found}
    names = set(known) - _HIDDEN
    return {each.name(): each.isWritable() for each in found if each.name() in names}


def _get(self: QObject, name: str) -> Any:
    name = _PYSIDE_NAMES.get(name, name)
    if name in _properties(type(self)):
        return _as_pythonqt_gives(_read(self, name))
    if name in _METHODS:
        return MethodType(_METHODS[name], self)
    with pyside_at_work():
        value = _plain_get(self, name)
    if isinstance(value, SignalInstance):
        if not signals.is_known(type(self), name):
            raise AttributeError(f"{_class_name(self)} has no signal '{name}' in Qt 5")
        return signals.SignalOf(self, name, value)
    return value


def _read(self: QObject, name: str) -> Any:
    capital = name[0].upper() + name[1:]
    for getter in (f"is{capital}", name, f"has{capital}"):
        try:
            value = _plain_get(self, getter)
        except AttributeError:
            continue
        return value() if isinstance(value, (BuiltinMethodType, MethodType)) else value
    return QObject.property(self, name)


def _as_pythonqt_gives(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _set(self: QObject, name: str, value: Any) -> None:
    name = _PYSIDE_NAMES.get(name, name)
    properties = _properties(type(self))
    if name in properties:
        if not properties[name]:
            raise AttributeError(f"Property '{name}' of {_class_name(self)} is not writable")
        _write(self, name, value)
    elif name.startswith("_") or _derived_in_python(type(self)):
        vars(self)[name] = value
    elif pyside_at_work.depth:
        if not isinstance(value, QObject):
            vars(self)[name] = value
    else:
        raise AttributeError(
            f"'{name}' does not exist on {_class_name(self)} and creating new attributes on C++ "
            "objects is not allowed"
        )


def _derived_in_python(kind: type) -> bool:
    """Whether the product derived the class: PythonQt lets such objects have attributes."""
    return not kind.__module__.startswith(("PySide6.", "Host."))


def _write(self: QObject, name: str, value: Any) -> None:
    if type(value).__module__ == "numpy" and not isinstance(value, (int, float, str)):
        raise ValueError(f"Property '{name}' does not accept a {type(value).__name__} of NumPy")
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
