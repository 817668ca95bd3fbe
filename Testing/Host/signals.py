"""Signals by string signature, and slots that take as many arguments as they care for."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from inspect import CO_VARARGS
from types import FunctionType, MethodType
from typing import Any

from PySide6.QtCore import SIGNAL, QMetaObject, QObject, SignalInstance
from shiboken6 import getCppPointer

from .facts import facts_of

_qt_connect = QObject.connect
_qt_disconnect = QObject.disconnect

#: Exceptions that slots let through. PythonQt prints them and goes on; a test wants to know.
slot_errors: list[BaseException] = []

_ended = False

# (address of the sender, signature) -> [(slot as given, what Qt calls, connection)]
_connections: dict[tuple[int, str], list[tuple[Any, Callable, Any]]] = {}


class SignalOf:
    """One signal of one object, as PythonQt hands it out: `button.clicked`."""

    def __init__(self, sender: QObject, name: str, instance: SignalInstance) -> None:
        self._sender = sender
        self._signature = _signature_of(sender, name)
        self._instance = instance

    def connect(self, slot: Callable) -> bool:
        return _connect(self._sender, self._signature, slot)

    def disconnect(self, slot: Callable | None = None) -> bool:
        return _disconnect(self._sender, self._signature, slot)

    def emit(self, *arguments: Any) -> None:
        self._instance.emit(*arguments)

    __call__ = emit


def is_known(kind: type, name: str) -> bool:
    """Whether a class has the signal in Qt 5 as well; every one where it was not recorded."""
    facts = facts_of(kind)
    if facts is None or name in getattr(kind, "signatures", {}).values():
        return True
    return any(each.partition("(")[0] == name for each in facts.signals)


def connect(
    sender: QObject, signature: str, slot: Callable | QObject, method: str | None = None
) -> bool:
    """Call a slot on every signal. False where the object has no such signal."""
    if isinstance(signature, QObject):  # PySide's own `QTimer.singleShot` names the sender again
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


def _connect(sender: QObject, known: str, slot: Callable) -> bool:
    if isinstance(slot, SignalOf):
        slot = slot.emit

    def relay(*arguments: Any) -> None:
        _call(slot, arguments)

    connection = _qt_connect(sender, SIGNAL(known), relay)
    key = _address(sender), known
    if key not in _connections:
        _connections[key] = []
        _forget_when_destroyed(sender, key)
    _connections[key].append((slot, relay, connection))
    return True


def disconnect(sender: QObject, signature: str, slot: Callable | None = None, *_: Any) -> bool:
    """Undo `connect` for one slot, or for all. False where there was nothing to undo."""
    known = _known_signature(sender, signature)
    return known is not None and _disconnect(sender, known, slot)


def _disconnect(sender: QObject, known: str, slot: Callable | None) -> bool:
    made = _connections.get((_address(sender), known), [])
    undone = [each for each in made if slot is None or each[0] == slot]
    for each in undone:
        _qt_disconnect(each[2])
        made.remove(each)
    return bool(undone)


def _known_signature(sender: QObject, signature: str) -> str | None:
    """The signature by which PySide knows a signal that was named as in C++."""
    normalized = QMetaObject.normalizedSignature(signature)
    normalized = normalized if isinstance(normalized, str) else bytes(normalized).decode()
    facts = facts_of(type(sender))
    if facts is not None and normalized not in facts.signals:
        return None
    aliases = getattr(type(sender), "signatures", {})
    if normalized in aliases:
        return _signature_of(sender, aliases[normalized])
    return normalized if sender.metaObject().indexOfSignal(normalized) >= 0 else None


def _signature_of(sender: QObject, name: str) -> str:
    """The fullest signature of a signal's name: `clicked` is `clicked(bool)`."""
    meta = sender.metaObject()
    methods = (meta.method(index) for index in range(meta.methodCount()))
    found = [bytes(each.methodSignature()).decode() for each in methods if each.name() == name]
    return max(found, key=lambda each: (each.count(","), not each.endswith("()")))


def end() -> None:
    """Call no slot any more: Python goes before Qt does, as in the application."""
    global _ended
    _ended = True


def _call(slot: Callable, arguments: tuple) -> None:
    if _ended:
        return
    try:
        slot(*arguments[: _accepted_arguments(slot)])
    except Exception as error:
        slot_errors.append(error)
        traceback.print_exc()


def _accepted_arguments(slot: Callable) -> int | None:
    """How many arguments PythonQt hands over. All of them unless it can see the function."""
    function = slot.__func__ if isinstance(slot, MethodType) else slot
    if not isinstance(function, FunctionType) or function.__code__.co_flags & CO_VARARGS:
        return None
    return function.__code__.co_argcount - isinstance(slot, MethodType)


def _address(sender: QObject) -> int:
    return getCppPointer(sender)[0]


def _forget_when_destroyed(sender: QObject, key: tuple[int, str]) -> None:
    _qt_connect(sender, SIGNAL("destroyed()"), lambda: _connections.pop(key, None))
