"""`slicer.modules` and the module manager: scripted modules, and the logics of the others."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout, QWidget

from .mrml_widgets import SceneHolder
from .properties import stored


class qSlicerScriptedLoadableModule(QObject):
    """What the application knows of a scripted module."""

    title = stored("QString", "title", "")
    path = stored("QString", "path", "")
    hidden = stored("bool", "hidden", False)
    helpText = stored("QString", "helpText", "")
    acknowledgementText = stored("QString", "acknowledgementText", "")
    categories = stored("QStringList", "categories", [])
    dependencies = stored("QStringList", "dependencies", [])
    contributors = stored("QStringList", "contributors", [])
    associatedNodeTypes = stored("QStringList", "associatedNodeTypes", [])
    icon = stored("QVariant", "icon", QIcon())

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.setObjectName(path.stem)
        self.path = str(path)
        self._widget: qSlicerScriptedLoadableModuleWidget | None = None
        self._instance = getattr(load_source(path), path.stem)(self)
        setattr(slicer.modules, path.stem + "Instance", self._instance)
        if hasattr(self._instance, "setup"):
            self._instance.setup()

    def self(self) -> Any:
        return self._instance

    def logic(self) -> None:
        return None

    def widgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        if self._widget is None:
            self._widget = self.createNewWidgetRepresentation()
        return self._widget

    def createNewWidgetRepresentation(self) -> qSlicerScriptedLoadableModuleWidget:
        return qSlicerScriptedLoadableModuleWidget(Path(self.path))

    def unload(self) -> None:
        """Close the panel, as the application does when it ends."""
        if self._widget is not None:
            self._widget.delete()
            self._widget = None


class qSlicerScriptedLoadableModuleWidget(SceneHolder, QWidget):
    """The place of a scripted module's panel in the application."""

    mrmlSceneChanged = Signal(object)
    signatures = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.setObjectName(path.stem)
        self.setLayout(QVBoxLayout())
        self._path = path
        self._instance: Any = None
        self.setMRMLScene(slicer.mrmlScene)
        self.reload()

    def reload(self) -> None:
        """Make the panel anew from the module's (reloaded) source."""
        name = self._path.stem
        source = sys.modules[name]
        self._instance = getattr(source, name + "Widget")(self)
        setattr(slicer.modules, name + "Widget", self._instance)
        self._instance.setup()

    def self(self) -> Any:
        return self._instance

    def enter(self) -> None:
        """The user opens the module."""
        self._call("enter")

    def exit(self) -> None:
        """The user opens another module."""
        self._call("exit")

    def _call(self, method: str) -> None:
        if hasattr(self._instance, method):
            getattr(self._instance, method)()


class CoreModule:
    """A module of which the packages bring the logic, but no panel."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self._logic = logic

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> None:
        return None


class ModuleManager(QObject):
    """Knows the modules by name."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def add(self, name: str, module: Any) -> None:
        self._modules[name] = module
        setattr(slicer.modules, name.lower(), module)
        self.moduleLoaded.emit(name)

    def load(self, path: Path) -> qSlicerScriptedLoadableModule:
        """Load a scripted module from its file."""
        module = qSlicerScriptedLoadableModule(path)
        self.add(path.stem, module)
        return module

    def unload(self, name: str) -> None:
        """Unload a scripted module, as the application does when it ends."""
        self.moduleAboutToBeUnloaded.emit(name)
        module = self._modules.pop(name)
        delattr(slicer.modules, name.lower())
        for ending in ("Widget", "Instance"):
            if hasattr(slicer.modules, name + ending):
                delattr(slicer.modules, name + ending)
        module.unload()

    def is_scripted(self, name: str) -> bool:
        return isinstance(self._modules.get(name), qSlicerScriptedLoadableModule)

    def module(self, name: str) -> Any:
        return self._modules.get(name)

    def modulesNames(self) -> tuple[str, ...]:
        return tuple(self._modules)

    loadedModuleNames = modulesNames

    def isLoaded(self, name: str) -> bool:
        return name in self._modules

    def factoryManager(self) -> ModuleManager:
        return self


def load_source(path: Path) -> ModuleType:
    """Import a module's file under its name, with its folder on the search path."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
