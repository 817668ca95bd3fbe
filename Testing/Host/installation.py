"""Install the host: the modules and names that a scripted module imports."""

from __future__ import annotations

import atexit
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from driving import Driver

_host: Host | None = None

_DEFERRED_DELETE = 52  # QEvent::DeferredDelete


class Host(Driver):
    """The running host."""

    def process_events(self) -> None:
        """Process Qt's events, including deferred deletions."""
        super().process_events()
        self.app.sendPostedEvents(None, _DEFERRED_DELETE)

    def open_module(self, path: str | Path) -> Any:
        """Load and enter a scripted module. Returns its widget object."""
        path = Path(path).resolve()
        manager = self.app.moduleManager()
        module = manager.module(path.stem) or manager.load(path)
        representation = module.widgetRepresentation()
        representation.enter()
        return representation.self()

    def close_module(self, name: str) -> None:
        """Unload a scripted module and its panel, as on exit."""
        self.app.moduleManager().unload(name)


def install() -> Host:
    """Install the host once in the process."""
    global _host
    if _host is None:
        _host = _install()
    return _host


def _install() -> Host:
    from . import pythonqt, qt_module, slicer_modules

    sys.modules["qt"] = qt_module.make_qt()
    pythonqt.install()  # after all classes of Qt have been created
    slicer.modules = _add_module("slicer.modules", ModuleType("slicer.modules"))
    for name, module in slicer_modules.make_modules().items():
        setattr(slicer, name.partition(".")[2], _add_module(name, module))
    _add_widgets()
    from .application import Application
    from .scene import OrientedImageDataResample

    slicer.vtkOrientedImageDataResample = OrientedImageDataResample
    application = Application()
    slicer.app = application
    slicer.mrmlScene = application.mrmlScene()
    _add_scripted_modules()
    for name, logic in application.moduleLogics().items():
        application.moduleManager().add_core_module(name, logic)
    application.start()
    atexit.register(application.shut_down)
    return Host(application)


def _add_module(name: str, module: ModuleType) -> Any:
    sys.modules[name] = module
    return module


def _add_widgets() -> None:
    from . import checkable, collapsible, ctk_widgets, segment_editor, views
    from .properties import widget_classes

    modules = (checkable, collapsible, ctk_widgets, segment_editor, views)
    assert all(modules), "register their classes"
    ctk = _add_module("ctk", ModuleType("ctk"))
    for name, kind in widget_classes.items():
        setattr(ctk if name.startswith("ctk") else slicer, name, kind)


def _add_scripted_modules() -> None:
    from . import modules, scripted_module
    from .parameter_node import make_parameter_node_wrapper

    slicer.parameterNodeWrapper = _add_module(
        "slicer.parameterNodeWrapper", make_parameter_node_wrapper()
    )
    slicer.qSlicerScriptedLoadableModule = modules.qSlicerScriptedLoadableModule
    slicer.qSlicerScriptedLoadableModuleWidget = modules.qSlicerScriptedLoadableModuleWidget
    names = [name for name in vars(scripted_module) if name.startswith("ScriptedLoadableModule")]
    name = "slicer.ScriptedLoadableModule"
    module = slicer.ScriptedLoadableModule = _add_module(name, ModuleType(name))
    module.__all__ = names
    for name in names:
        setattr(module, name, getattr(scripted_module, name))
