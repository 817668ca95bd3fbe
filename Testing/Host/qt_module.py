"""The module `qt`: the classes of QtCore, QtGui and QtWidgets side by side, as in Slicer."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from .ui_loader import UiLoader


class QSettings(QtCore.QSettings):
    """Settings whose lists come back as tuples, as PythonQt gives them."""

    def value(self, key: str, default: Any = None) -> Any:
        value = super().value(key, default)
        return tuple(value) if isinstance(value, list) else value


def make_qt() -> ModuleType:
    """The module that `import qt` finds."""
    qt = ModuleType("qt")
    for part in (QtCore, QtGui, QtWidgets):
        for name in dir(part):
            if not name.startswith("_"):
                setattr(qt, name, getattr(part, name))
    qt.QSettings = QSettings
    qt.QUiLoader = UiLoader
    return qt
