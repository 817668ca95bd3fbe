"""`slicer.app` and the application's main window."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import slicer
from PySide6.QtCore import QObject, QProcessEnvironment, QSettings, Qt, Signal
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QScrollArea

from . import signals
from .io_manager import IOManager
from .layout_manager import LayoutManager
from .modules import ModuleManager
from .properties import Property
from .qt_module import QSettings as HostSettings
from .scene import ApplicationScene


def _constant(cpp_type: str, value: Any) -> Property:
    return Property(cpp_type, lambda self: value)


class Application(QApplication):
    """The application object."""

    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}
    mrmlSceneChanged = Signal(object)
    startupCompleted = Signal()

    def __init__(self) -> None:
        super().__init__(["Slicer"])
        self._folder = tempfile.TemporaryDirectory(prefix="genseg-host-")
        self._temporary = Path(self._folder.name, "temporary")
        self._temporary.mkdir()
        self.setApplicationName("Slicer")
        self.setOrganizationName("NA-MIC")
        HostSettings.setDefaultFormat(QSettings.IniFormat)
        HostSettings.setPath(QSettings.IniFormat, QSettings.UserScope, self._folder.name)
        self._settings = HostSettings()
        self._scene = ApplicationScene(self._temporary)
        self._io = IOManager(self._scene)
        self._modules = ModuleManager()
        self._layout_manager = LayoutManager(self._scene.scene, self._scene.application_logic)
        self._window: MainWindow | None = None

    def start(self) -> None:
        """Create the views and the main window; requires `slicer.app`."""
        self._layout_manager.start()
        self._window = MainWindow()

    slicerHome = Property("QString", lambda self: self._folder.name)
    temporaryPath = Property("QString", lambda self: str(self._temporary))
    extensionsInstallPath = Property("QString", lambda self: self._folder.name)
    launcherExecutableFilePath = _constant("QString", "")
    applicationVersion = mainApplicationVersion = _constant("QString", "5.12.4")
    majorVersion = _constant("int", 5)
    minorVersion = _constant("int", 12)
    revision = repositoryRevision = _constant("QString", "host")
    platform = _constant("QString", f"{sys.platform}-host")
    documentationBaseUrl = _constant("QString", "https://slicer.readthedocs.io/en/latest/")
    intDir = _constant("QString", "")

    def mrmlScene(self) -> Any:
        return self._scene.scene

    def applicationLogic(self) -> Any:
        return self._scene.application_logic

    def moduleLogics(self) -> dict[str, Any]:
        return self._scene.logics

    def moduleManager(self) -> ModuleManager:
        return self._modules

    def coreIOManager(self) -> IOManager:
        return self._io

    ioManager = coreIOManager

    def layoutManager(self) -> LayoutManager:
        return self._layout_manager

    def settings(self) -> HostSettings:
        return self._settings

    userSettings = revisionUserSettings = settings

    def testingEnabled(self) -> bool:
        return True

    def startupEnvironment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    environment = startupEnvironment

    def moduleDocumentationUrl(self, module: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{module.lower()}.html"

    def pauseRender(self) -> None:
        """Do nothing: the host renders on request."""

    resumeRender = pauseRender

    def mainWindow(self) -> MainWindow | None:
        return self._window

    def translate(self, context: str, text: str) -> str:
        return text

    def shut_down(self) -> None:
        """Exit in Slicer's order: modules are unloaded before `aboutToQuit` is emitted."""
        for name in self._modules.modulesNames():
            if self._modules.is_scripted(name):
                self._modules.unload(name)
        self.aboutToQuit.emit()
        signals.stop()
        self._folder.cleanup()


class qSlicerModuleSelector(QObject):
    """Select modules by name."""

    moduleSelected = Signal(str)

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._selected = ""

    selectedModule = Property("QString", lambda self: self._selected)

    def selectModule(self, name: str) -> None:
        previous = slicer.app.moduleManager().module(self._selected)
        if previous is not None:
            previous.widgetRepresentation().exit()
        self._selected = name
        widget = slicer.util.getModule(name).widgetRepresentation()
        self._window.panel.takeWidget()
        self._window.panel.setWidget(widget)
        widget.show()
        widget.enter()
        self.moduleSelected.emit(name)


class MainWindow(QMainWindow):
    """The main window (`slicer.util.mainWindow()`): the module panel, without the views."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer (desktop host)")
        self._selector = qSlicerModuleSelector(self)
        dock = QDockWidget("Modules", self)
        dock.setObjectName("PanelDockWidget")
        self._panel = QScrollArea(dock)
        self._panel.setWidgetResizable(True)
        self._panel.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        dock.setWidget(self._panel)
        self.addDockWidget(Qt.LeftDockWidgetArea, dock)
        self.statusBar().setSizeGripEnabled(False)
        self.resize(1600, 1000)

    @property
    def panel(self) -> QScrollArea:
        return self._panel

    def moduleSelector(self) -> qSlicerModuleSelector:
        return self._selector
