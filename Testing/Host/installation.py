"""Puts the host in place: the modules and names that a scripted module imports."""

from __future__ import annotations

import atexit
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from driving import Driver

_host: Host | None = None


class Host(Driver):
    """The running host: the application, and how tests drive it."""

    def process_events(self) -> None:
        """Let Qt do what is due, deferred deletions too."""
        super().process_events()
        self.app.sendPostedEvents(None, 52)  # QEvent::DeferredDelete: `deleteLater` is due as well

    def open_module(self, path: str | Path) -> Any:
        """The panel (the module's widget object) of a scripted module, loaded and entered."""
        path = Path(path).resolve()
        manager = self.app.moduleManager()
        module = manager.module(path.stem) or manager.load(path)
        representation = module.widgetRepresentation()
        representation.enter()
        return representation.self()

    def close_module(self, name: str) -> None:
        """Unload a scripted module with its panel, as when the application ends."""
        self.app.moduleManager().unload(name)


def install() -> Host:
    """Put the host in place, once in a process."""
    global _host
    if _host is None:
        _host = _install()
    return _host


def _install() -> Host:
    from . import manner, qt_module

    sys.modules["qt"] = qt_module.make_qt()
    manner.apply()  # after all classes of Qt are there
    slicer.modules = _make_module("slicer.modules")
    _put_in_slicer("i18n")
    _put_in_slicer("packaging")
    _make_widgets()
    from .application import Application

    application = Application()
    slicer.app = application
    slicer.mrmlScene = application.mrmlScene()
    _make_scripted_modules()
    _add_core_modules(application)
    application.start()
    atexit.register(application.shut_down)
    return Host(application)


def _make_module(name: str) -> Any:
    module = ModuleType(name)
    sys.modules[name] = module
    return module


def _put_in_slicer(name: str) -> None:
    from . import packages, translation

    makers = {"i18n": translation.make_i18n, "packaging": packages.make_packaging}
    module = makers[name]()
    sys.modules[f"slicer.{name}"] = module
    setattr(slicer, name, module)


def _make_widgets() -> None:
    from .widgets import widget_classes

    ctk = _make_module("ctk")
    for name, kind in widget_classes.items():
        setattr(ctk if name.startswith("ctk") else slicer, name, kind)


def _make_scripted_modules() -> None:
    from . import modules, scripted_module
    from .parameter_node import make_parameter_node_wrapper

    slicer.parameterNodeWrapper = make_parameter_node_wrapper()
    sys.modules["slicer.parameterNodeWrapper"] = slicer.parameterNodeWrapper

    slicer.qSlicerScriptedLoadableModule = modules.qSlicerScriptedLoadableModule
    slicer.qSlicerScriptedLoadableModuleWidget = modules.qSlicerScriptedLoadableModuleWidget
    names = [name for name in vars(scripted_module) if name.startswith("ScriptedLoadableModule")]
    module = _make_module("slicer.ScriptedLoadableModule")
    module.__all__ = names
    for name in names:
        setattr(module, name, getattr(scripted_module, name))
    slicer.ScriptedLoadableModule = module


def _add_core_modules(application: Any) -> None:
    from .modules import CoreModule

    for name, logic in application.moduleLogics().items():
        application.moduleManager().add(name, CoreModule(name, logic))
