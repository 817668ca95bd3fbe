"""The running application, with the manner in which the tests drive the desktop host."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import slicer
from driving import Driver


class RunningSlicer(Driver):
    """The 3D Slicer that runs this; see `Host.Host`, whose tests it serves.

    Attributes:
        slot_errors: what slots let through; PythonQt prints it and goes on.
    """

    def __init__(self) -> None:
        super().__init__(slicer.app)
        self.slot_errors: list[BaseException] = []
        self._print = sys.excepthook
        sys.excepthook = self._note

    def open_module(self, path: str | Path) -> Any:
        """Show the panel of a scripted module that the application has loaded; gives its widget."""
        name = Path(path).stem
        slicer.util.selectModule(name)
        return slicer.util.getModuleWidget(name)

    def close_module(self, name: str) -> None:
        """Make the module's panel anew, which cleans the old one up."""
        slicer.util.reloadScriptedModule(name)

    def _note(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self.slot_errors.append(error)
        self._print(kind, error, trace)
