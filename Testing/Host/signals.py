"""Signals connected by C++ signature, and slots called with as many arguments as they accept."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import cache
from inspect import CO_VARARGS
from types import FunctionType, MethodType
from typing import Any

from PySide6.QtCore import SIGNAL, QMetaObject, QObject, SignalInstance
from shiboken6 import getCppPointer

from .facts import facts_of

_qt_connect = QObject.connect
_qt_disconnect = QObject.disconnect

#: Exceptions raised in slots. PythonQt prints them and continues; tests must see them.
slot_errors: list[BaseException] = []

_stopped = False

# (class of the sender, name of a signal) -> its signature
_longest: dict[tuple[type, str], str] = {}

# (address of the sender, signature) -> [(slot, connected function, connection)]
_connections: dict[tuple[int, str], list[tuple[Any, Callable, Any]]] = {}


class Signal:
    """A signal of an object as PythonQt's attribute: `button.clicked`."""

    def __init__(self, sender: QObject, name: str, instance: SignalInstance) -> None:
        self._sender = sender
        self._signature = _longest_signature(sender, name)
        self._instance = instance

    def connect(self, slot: Callable) -> bool:
        return _connect(self._sender, self._signature, slot)

    def disconnect(self, slot: Callable | None = None) -> bool:
        return _disconnect(self._sender, self._signature, slot)

    def emit(self, *arguments: Any) -> None:
        self._instance.emit(*arguments)

    __call__ = emit


@cache
def is_known(kind: type, name: str) -> bool:
    """Whether a class has the signal in Qt 5 too; true for classes that were not recorded."""
    facts = facts_of(kind)
    if facts is None or name in getattr(kind, "signatures", {}).values():
        return True
    return any(each.partition("(")[0] == name for each in facts.signals)


def connect(
    sender: QObject, signature: str, slot: Callable | QObject, method: str | None = None
) -> bool:
    """Connect a slot. Return False if the object has no such signal."""
    if isinstance(signature, QObject):  # PySide's own `QTimer.singleShot` repeats the sender
        return connect(signature, slot.removeprefix("2"), method)
    known = _known_signature(sender, signature)
    if known is None:
        print(
            f"QObject::connect: No such signal {sender.className()}::{signature}", file=sys.stderr
        )
        return False
    if method is not None:
        slot = getattr(slot, method.partition("(")[0])
    return _connect(sender, known, slot)


def _connect(sender: QObject, signature: str, slot: Callable) -> bool:
    if isinstance(slot, Signal):
        slot = slot.emit

    def relay(*arguments: Any) -> None:
        _call(slot, arguments)

    connection = _qt_connect(sender, SIGNAL(signature), relay)
    key = getCppPointer(sender)[0], signature
    if key not in _connections:
        _connections[key] = []
        _qt_connect(sender, SIGNAL("destroyed()"), lambda: _connections.pop(key, None))
    _connections[key].append((slot, relay, connection))
    return True


def disconnect(sender: QObject, signature: str, slot: Callable | None = None, *_: Any) -> bool:
    """Disconnect one slot, or all. Return False if nothing was connected."""
    known = _known_signature(sender, signature)
    return known is not None and _disconnect(sender, known, slot)


def _disconnect(sender: QObject, signature: str, slot: Callable | None) -> bool:
    connected = _connections.get((getCppPointer(sender)[0], signature), [])
    removed = [each for each in connected if slot is None or each[0] == slot]
    for each in removed:
        _qt_disconnect(each[2])
        connected.remove(each)
    return bool(removed)


def _known_signature(sender: QObject, signature: str) -> str | None:
    """PySide's signature of a signal that is named as in C++."""
    normalized = QMetaObject.normalizedSignature(signature)
    normalized = normalized if isinstance(normalized, str) else bytes(normalized).decode()
    facts = facts_of(type(sender))
    if facts is not None and normalized not in facts.signals:
        return None
    aliases = getattr(type(sender), "signatures", {})
    if normalized in aliases:
        return _longest_signature(sender, aliases[normalized])
    return normalized if sender.metaObject().indexOfSignal(normalized) >= 0 else None


def _longest_signature(sender: QObject, name: str) -> str:
    """The signature with the most arguments: `clicked` is `clicked(bool)`."""
    key = type(sender), name
    if key not in _longest:
        meta = sender.metaObject()
        methods = (meta.method(index) for index in range(meta.methodCount()))
        found = [bytes(each.methodSignature()).decode() for each in methods if each.name() == name]
        _longest[key] = max(found, key=lambda each: (each.count(","), not each.endswith("()")))
    return _longest[key]


def stop() -> None:
    """Call no more slots: as in the application, Python is finalized before Qt."""
    global _stopped
    _stopped = True


def _call(slot: Callable, arguments: tuple) -> None:
    if _stopped:
        return
    try:
        slot(*arguments[: _accepted_arguments(slot)])
    except Exception as error:
        slot_errors.append(error)
        traceback.print_exc()


def _accepted_arguments(slot: Callable) -> int | None:
    """Number of arguments that PythonQt passes; None (all) unless it can inspect the function."""
    function = slot.__func__ if isinstance(slot, MethodType) else slot
    if not isinstance(function, FunctionType) or function.__code__.co_flags & CO_VARARGS:
        return None
    return function.__code__.co_argcount - isinstance(slot, MethodType)
