"""The real Slicer, driven like the desktop host."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import slicer
from driving import Driver


class RunningSlicer(Driver):
    """The 3D Slicer that runs the tests; the counterpart of `Host.Host`.

    Attributes:
        slot_errors: exceptions raised in slots, which PythonQt prints.
    """

    def __init__(self) -> None:
        super().__init__(slicer.app)
        self.slot_errors: list[BaseException] = []
        self._previous_hook = sys.excepthook
        sys.excepthook = self._record

    def open_module(self, path: str | Path) -> Any:
        """Show the panel of a loaded scripted module. Returns its widget object."""
        name = Path(path).stem
        slicer.util.selectModule(name)
        return slicer.util.getModuleWidget(name)

    def close_module(self, name: str) -> None:
        """Create the module's panel again, which cleans up the previous one."""
        slicer.util.reloadScriptedModule(name)

    def _record(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self.slot_errors.append(error)
        self._previous_hook(kind, error, trace)
