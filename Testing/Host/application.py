"""`slicer.app`: the application object."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from PySide6.QtCore import QProcessEnvironment, QSettings, Signal
from PySide6.QtWidgets import QApplication

from . import signals
from .io_manager import IoManager
from .layout_manager import LayoutManager
from .main_window import MainWindow
from .modules import ModuleManager
from .properties import Property
from .qt_module import QSettings as HostSettings
from .scene import ApplicationScene


def _constant(kind: str, value: Any) -> Property:
    return Property(kind, lambda self: value)


class Application(QApplication):
    """What modules ask the application for."""

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
        self._io = IoManager(self._scene)
        self._modules = ModuleManager()
        self._layout_manager = LayoutManager(self._scene.scene, self._scene.application_logic)
        self._window: MainWindow | None = None

    def start(self) -> None:
        """Show the first layout and make the window; `slicer.app` has to be there by now."""
        self._layout_manager.start()
        self._window = MainWindow(self._layout_manager)

    slicerHome = Property("QString", lambda self: self._folder.name)
    temporaryPath = Property("QString", lambda self: str(self._temporary))
    extensionsInstallPath = Property("QString", lambda self: self._folder.name)
    launcherExecutableFilePath = Property("QString", lambda self: "")
    applicationVersion = _constant("QString", "5.12.4")
    mainApplicationVersion = _constant("QString", "5.12.4")
    majorVersion = _constant("int", 5)
    minorVersion = _constant("int", 12)
    revision = _constant("QString", "host")
    repositoryRevision = _constant("QString", "host")
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

    def coreIOManager(self) -> IoManager:
        return self._io

    ioManager = coreIOManager

    def layoutManager(self) -> LayoutManager:
        return self._layout_manager

    def settings(self) -> HostSettings:
        return self._settings

    userSettings = settings
    revisionUserSettings = settings

    def testingEnabled(self) -> bool:
        return True

    def startupEnvironment(self) -> QProcessEnvironment:
        return QProcessEnvironment.systemEnvironment()

    environment = startupEnvironment

    def moduleDocumentationUrl(self, module: str) -> str:
        return f"{self.documentationBaseUrl}user_guide/modules/{module.lower()}.html"

    def pauseRender(self) -> None:
        """Views of the host draw when asked to."""

    def resumeRender(self) -> None:
        """See `pauseRender`."""

    def mainWindow(self) -> MainWindow | None:
        return self._window

    def translate(self, context: str, text: str) -> str:
        return text

    def shut_down(self) -> None:
        """What the application does when it ends: say so, close the modules' panels, clean up."""
        self.aboutToQuit.emit()
        for name in self._modules.modulesNames():
            if self._modules.is_scripted(name):
                self._modules.unload(name)
        signals.end()
        self._folder.cleanup()
