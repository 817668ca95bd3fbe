"""The application's window: the module's panel on the left, the views on the right."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Property, QObject, Qt, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow, QScrollArea, QWidget


class qSlicerModuleSelector(QObject):
    """Opens modules by name."""

    moduleSelected = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._selected = ""

    selectedModule = Property("QString", lambda self: self._selected)

    def selectModule(self, name: str) -> None:
        manager = slicer.app.moduleManager()
        before = manager.module(self._selected)
        if before is not None:
            before.widgetRepresentation().exit()
        self._selected = name
        widget = slicer.util.getModule(name).widgetRepresentation()
        self._window.show_panel(widget)
        widget.enter()
        self.moduleSelected.emit(name)


class MainWindow(QMainWindow):
    """What `slicer.util.mainWindow()` finds."""

    def __init__(self, layout_manager: Any) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (desktop host)")
        self._layout_manager = layout_manager
        self._selector = qSlicerModuleSelector(self)
        self._dock = QDockWidget("Modules", self)
        self._dock.setObjectName("PanelDockWidget")
        self._scroll = QScrollArea(self._dock)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self._dock.setWidget(self._scroll)
        self.addDockWidget(Qt.LeftDockWidgetArea, self._dock)
        self.statusBar().setSizeGripEnabled(False)

    def moduleSelector(self) -> qSlicerModuleSelector:
        return self._selector

    def show_panel(self, panel: QWidget) -> None:
        self._scroll.takeWidget()
        self._scroll.setWidget(panel)
        panel.show()

    def show_views(self) -> None:
        """Put the views beside the panel; they render from then on whenever Qt paints."""
        self.setCentralWidget(self._layout_manager.viewport())
