"""A job that writes nodes to files, runs a command of GenSegLib on them, and reads the result."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import slicer

from GenSegLib.errors import GenSegError
from GenSegLib.steps import Steps
from GenSegSlicerLib.Job import IdleTask, Job
from GenSegSlicerLib.LibraryProcess import LibraryProcess

_INPUTS_WRITTEN, _COMPUTED = 0.1, 0.9  # fractions of the job after its first two parts


class ProcessJob(Job, ABC):
    """Runs the three parts that derived classes define.

    Attributes:
        folder: temporary folder of the files, removed when the job or the application ends.
        warnings: one line for each reason to check the results carefully.
    """

    def __init__(self) -> None:
        super().__init__()
        self.warnings: list[str] = []
        parent = Path(slicer.app.temporaryPath)
        self.folder = Path(
            tempfile.mkdtemp(prefix="GenSeg-", dir=parent if parent.is_dir() else None)
        )
        self._removeFolder = weakref.finalize(self, shutil.rmtree, self.folder, True)
        self._task: IdleTask | None = None
        self._process: LibraryProcess | None = None
        self._error = ""  # of the process, whose other results are read nevertheless

    @property
    def details(self) -> str:
        """Last lines of the process's standard error."""
        return "" if self._process is None else self._process.details

    def start(self) -> None:
        """Start the job; called once."""
        self._task = IdleTask(
            self._writeInputs(),
            lambda fraction: self._updateFraction(0.0, _INPUTS_WRITTEN, fraction),
            self._compute,
        )

    def cancel(self) -> None:
        """Cancel the job; no node is changed."""
        if not self.isActive:
            return
        self._task.cancel()
        if self._process is not None and self._process.isRunning:
            self._process.onFinished = lambda code, message: self._removeFolder()
            self._process.kill()
        self._finish("cancelled", "")

    @abstractmethod
    def _writeInputs(self) -> Steps:
        """Write the input files, one per step."""

    @abstractmethod
    def _arguments(self) -> list[object]:
        """Return the command-line arguments."""

    @abstractmethod
    def _readOutputs(self) -> Steps:
        """Read the output files into nodes, one per step."""

    def _compute(self, error: str) -> None:
        if error:
            self._finish("failed", error)
            return
        self._process = LibraryProcess()
        self._process.onEvent = self._handleEvent
        self._process.onFinished = self._onComputed
        try:
            self._process.start([*self._arguments(), "--events", "jsonl"])
        except GenSegError as exception:
            self._finish("failed", str(exception))
        else:
            self._setState("running")

    def _handleEvent(self, event: dict[str, Any]) -> None:
        if event["kind"] == "progress" and self.state == "running":
            self.phase = event["phase"]
            self.remainingS = event.get("remaining_s")
            fraction = event["step"] / max(event["total"], 1)
            self._updateFraction(_INPUTS_WRITTEN, _COMPUTED, fraction)
        elif event["kind"] == "log" and event.get("level") == "warning":
            self.warnings.append(self._withNodeNames(event["text"]))

    def _withNodeNames(self, text: str) -> str:
        """Replace names of temporary files in a message by names of nodes."""
        return text

    def _hasOutputs(self) -> bool:
        """Whether a process that failed has written results that are worth reading."""
        return False

    def _onComputed(self, code: int, message: str) -> None:
        self._error = self._withNodeNames(message)
        if code and not self._hasOutputs():
            self._finish("failed", self._error)
            return
        self.remainingS = None
        self._task = IdleTask(
            self._readOutputs(),
            lambda fraction: self._updateFraction(_COMPUTED, 1.0, fraction),
            self._onRead,
        )

    def _onRead(self, error: str) -> None:
        message = error or self._error
        self._finish("failed" if message else "finished", message)

    def _updateFraction(self, start: float, end: float, fraction: float) -> None:
        self.fraction = start + (end - start) * min(max(fraction, 0.0), 1.0)
        self._notify()

    def _finish(self, state: str, message: str) -> None:
        if self._process is None or not self._process.isRunning:
            self._removeFolder()
        self._setState(state, message)
