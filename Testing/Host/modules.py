"""`slicer.modules` and the module manager: scripted modules, and the logics of core modules."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QVBoxLayout

from .properties import stored
from .views import qMRMLWidget


class qSlicerScriptedLoadableModule(QObject):
    """The application's object of a scripted module."""

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
        """Delete the panel."""
        if self._widget is not None:
            self._widget.delete()
            self._widget = None


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The application's widget that contains the panel of a scripted module."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.setObjectName(path.stem)
        self.setLayout(QVBoxLayout())
        self._path = path
        self._instance: Any = None
        self.setMRMLScene(slicer.mrmlScene)
        self.reload()

    def reload(self) -> None:
        """Create the panel again from the module's (reloaded) source."""
        name = self._path.stem
        self._instance = getattr(sys.modules[name], name + "Widget")(self)
        setattr(slicer.modules, name + "Widget", self._instance)
        self._instance.setup()

    def self(self) -> Any:
        return self._instance

    def enter(self) -> None:
        self._call("enter")

    def exit(self) -> None:
        self._call("exit")

    def _call(self, method: str) -> None:
        if hasattr(self._instance, method):
            getattr(self._instance, method)()


class CoreModule:
    """A module of Slicer of which slicer-core includes the logic, but not the panel."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = name
        self._logic = logic

    def logic(self) -> Any:
        return self._logic

    def widgetRepresentation(self) -> None:
        return None


class ModuleManager(QObject):
    """Loads, finds and unloads modules by name."""

    moduleAboutToBeUnloaded = Signal(str)
    moduleLoaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def _add(self, name: str, module: Any) -> None:
        self._modules[name] = module
        setattr(slicer.modules, name.lower(), module)
        self.moduleLoaded.emit(name)

    def add_core_module(self, name: str, logic: Any) -> None:
        self._add(name, CoreModule(name, logic))

    def load(self, path: Path) -> qSlicerScriptedLoadableModule:
        """Load a scripted module from its file."""
        module = qSlicerScriptedLoadableModule(path)
        self._add(path.stem, module)
        return module

    def unload(self, name: str) -> None:
        """Unload a scripted module."""
        self.moduleAboutToBeUnloaded.emit(name)
        module = self._modules.pop(name)
        delattr(slicer.modules, name.lower())
        for suffix in ("Widget", "Instance"):
            if hasattr(slicer.modules, name + suffix):
                delattr(slicer.modules, name + suffix)
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
    """Import a module's file under its name, with its folder in `sys.path`."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
