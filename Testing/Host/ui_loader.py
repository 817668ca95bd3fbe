"""Qt Designer files: the host's classes for ctk and qMRML names, and connections by C++ names."""

from __future__ import annotations

from xml.etree import ElementTree

from PySide6.QtCore import QBuffer, QFile, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader
from PySide6.QtWidgets import QWidget

from .manner import pyside_at_work
from .properties import add_setters

#: Widget classes beside Qt's own, by the name that a `.ui` file uses.
widget_classes: dict[str, type[QWidget]] = {}


def offered(kind: type[QWidget]) -> type[QWidget]:
    """Class decorator: a widget that `.ui` files may name."""
    add_setters(kind)
    widget_classes[kind.__name__] = kind
    return kind


class UiLoader(QUiLoader):
    """Loads a `.ui` file as Slicer's loader does."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._made: list[QWidget] = []

    def load(self, device: QIODevice, parent: QWidget | None = None) -> QWidget:
        """The widget of the file, with its connections made.

        Raises:
            RuntimeError: the file names a widget, signal or slot that the host does not have.
        """
        text = bytes(device.readAll().data())
        tree = ElementTree.fromstring(text)
        connections = _take_connections(tree)
        buffer = QBuffer()
        buffer.setData(ElementTree.tostring(tree, encoding="utf-8"))
        buffer.open(QFile.ReadOnly)
        with pyside_at_work():
            widget = super().load(buffer, parent)
        if widget is None:
            raise RuntimeError(f"The .ui file cannot be loaded: {self.errorString()}")
        for connection in connections:
            _connect(widget, connection)
        for each in self._made:
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
        self._made.append(widget)
        return widget


def _take_connections(tree: ElementTree.Element) -> list[dict[str, str]]:
    """Remove the connections from the file: Qt would look for C++ signals in Python classes."""
    section = tree.find("connections")
    if section is None:
        return []
    tree.remove(section)
    return [{part.tag: part.text or "" for part in each} for each in section]


def _connect(widget: QWidget, connection: dict[str, str]) -> None:
    sender = _named(widget, connection["sender"])
    receiver = _named(widget, connection["receiver"])
    slot = getattr(receiver, connection["slot"].partition("(")[0])
    if not sender.connect(connection["signal"], slot):
        raise RuntimeError(f"{connection['sender']} has no signal {connection['signal']}")


def _named(widget: QWidget, name: str) -> QObject:
    found = widget if widget.objectName == name else widget.findChild(QObject, name)
    if found is None:
        raise RuntimeError(f"The .ui file connects {name}, which it does not have")
    return found
