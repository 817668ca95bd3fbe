"""The `qt` module: QtCore, QtGui and QtWidgets in one namespace, with Slicer's `.ui` loader."""

from __future__ import annotations

from types import ModuleType
from typing import Any
from xml.etree import ElementTree

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QBuffer, QFile, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

from .properties import widget_classes
from .pythonqt import pyside_sets_attributes


class QSettings(QtCore.QSettings):
    """Settings that return lists as tuples, as PythonQt does."""

    def value(self, key: str, default: Any = None) -> Any:
        value = super().value(key, default)
        return tuple(value) if isinstance(value, list) else value


class UiLoader(QUiLoader):
    """Load `.ui` files with ctk and qMRML widgets and with connections by C++ signatures."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._created: list[QWidget] = []

    def load(self, device: QIODevice, parent: QWidget | None = None) -> QWidget:
        """Create the widget of the file.

        Raises:
            RuntimeError: if the host lacks a widget, signal or slot of the file.
        """
        content, connections = _without_connections(bytes(device.readAll().data()))
        buffer = QBuffer()
        buffer.setData(content)
        buffer.open(QFile.ReadOnly)
        with pyside_sets_attributes():
            widget = super().load(buffer, parent)
        if widget is None:
            raise RuntimeError(f"The .ui file cannot be loaded: {self.errorString()}")
        for connection in connections:
            _connect(widget, connection)
        for each in self._created:
            if hasattr(each, "adopt_children"):
                each.adopt_children()
        return widget

    def createWidget(self, name: str, parent: QWidget | None = None, called: str = "") -> QWidget:
        if name not in widget_classes:
            if name not in self.availableWidgets():
                raise RuntimeError(f"The desktop host has no {name}")
            return super().createWidget(name, parent, called)
        widget = widget_classes[name](parent)
        widget.setObjectName(called)
        self._created.append(widget)
        return widget


def _without_connections(content: bytes) -> tuple[bytes, list[dict[str, str]]]:
    """Take the connections out: Qt would look for their C++ signatures in Python classes.

    The rest is not parsed here, since that takes as long as Qt's own parsing.
    """
    start, opening, rest = content.partition(b"<connections>")
    section, closing, end = rest.partition(b"</connections>")
    if not closing:
        return content, []
    connections = ElementTree.fromstring(opening + section + closing)
    found = [{part.tag: part.text or "" for part in each} for each in connections]
    return start + end, found


def _connect(widget: QWidget, connection: dict[str, str]) -> None:
    sender = _child(widget, connection["sender"])
    slot = getattr(_child(widget, connection["receiver"]), connection["slot"].partition("(")[0])
    if not sender.connect(connection["signal"], slot):
        raise RuntimeError(f"{connection['sender']} has no signal {connection['signal']}")


def _child(widget: QWidget, name: str) -> QObject:
    found = widget if widget.objectName == name else widget.findChild(QObject, name)
    if found is None:
        raise RuntimeError(f"The .ui file connects {name}, which it does not contain")
    return found


def make_qt() -> ModuleType:
    """Create the module for `import qt`."""
    qt = ModuleType("qt")
    for part in (QtCore, QtGui, QtWidgets):
        for name in dir(part):
            if not name.startswith("_"):
                setattr(qt, name, getattr(part, name))
    qt.QSettings = QSettings
    qt.QUiLoader = UiLoader
    return qt
