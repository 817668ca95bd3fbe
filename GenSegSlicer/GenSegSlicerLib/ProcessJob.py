"""A job that writes nodes to files, runs a verb of GenSegLib on them, and reads the result."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import slicer

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Job import Job
from GenSegSlicerLib.LibraryProcess import LibraryProcess
from GenSegSlicerLib.Turns import Steps, Turns

_WRITTEN, _COMPUTED = 0.1, 0.9  # shares of the whole job at which its parts are done


class ProcessJob(Job, ABC):
    """Goes through the three parts, which the classes derived from it say.

    Attributes:
        folder: of the files; removed when the job has ended, at the latest with Slicer.
        warnings: a line each, why results are to be looked at with care.
    """

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []
        parent = Path(slicer.app.temporaryPath)
        self.folder = Path(
            tempfile.mkdtemp(prefix="GenSeg-", dir=parent if parent.is_dir() else None)
        )
        self._removeFolder = weakref.finalize(self, shutil.rmtree, self.folder, True)
        self._turns: Turns | None = None
        self._process: LibraryProcess | None = None

    @property
    def details(self) -> str:
        """The last lines that the process said."""
        return "" if self._process is None else self._process.details

    def start(self) -> None:
        """Begin; called once."""
        self._turns = Turns(
            self._writeInputs(), lambda share: self._tellShare(0.0, _WRITTEN, share), self._compute
        )

    def cancel(self) -> None:
        """Give the job up; no node is changed."""
        if not self.isActive:
            return
        self._turns.cancel()
        if self._process is not None and self._process.isRunning:
            self._process.onFinished = lambda code, message: self._removeFolder()
            self._process.kill()
        self._finish("cancelled", "")

    @abstractmethod
    def _writeInputs(self) -> Steps:
        """Write the inputs, a file a step."""

    @abstractmethod
    def _arguments(self) -> list[object]:
        """The arguments of the command line."""

    @abstractmethod
    def _readOutputs(self) -> Steps:
        """Read the outputs into nodes, a file a step."""

    def _compute(self, fault: str) -> None:
        if fault:
            self._finish("failed", fault)
            return
        self._process = LibraryProcess()
        self._process.onEvent = self._takeEvent
        self._process.onFinished = self._onComputed
        try:
            self._process.start([*self._arguments(), "--events", "jsonl"])
        except GenSegError as error:
            self._finish("failed", str(error))
        else:
            self._change("running")

    def _takeEvent(self, event: dict[str, Any]) -> None:
        if event["kind"] == "progress" and self.state == "running":
            self.phase = event["phase"]
            self.remainingS = event.get("remaining_s")
            self._tellShare(_WRITTEN, _COMPUTED, event["step"] / max(event["total"], 1))
        elif event["kind"] == "log" and event.get("level") == "warning":
            self.warnings.append(self._inNodeNames(event["text"]))

    def _inNodeNames(self, text: str) -> str:
        """Give a line of the library with nodes' names in the place of its files."""
        return text

    def _onComputed(self, code: int, message: str) -> None:
        if code:
            self._finish("failed", message)
            return
        self.remainingS = None
        self._turns = Turns(
            self._readOutputs(), lambda share: self._tellShare(_COMPUTED, 1.0, share), self._onRead
        )

    def _onRead(self, fault: str) -> None:
        self._finish("failed" if fault else "finished", fault)

    def _tellShare(self, start: float, end: float, share: float) -> None:
        self.fraction = start + (end - start) * min(max(share, 0.0), 1.0)
        self._tell()

    def _finish(self, state: str, message: str) -> None:
        if self._process is None or not self._process.isRunning:
            self._removeFolder()
        self._change(state, message)
