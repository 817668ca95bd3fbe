"""A command of GenSegLib in a separate process, followed through its output.

For predictions, evaluations, device queries, phantoms and resident models. The process ends with
Slicer; a training outlives Slicer and is started by `TrainingProcess`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GenSegSlicerLib.EventReader import EventReader
from GenSegSlicerLib.Library import libraryArguments, libraryFolder, pythonExecutable
from GenSegSlicerLib.Processes import (
    describeExit,
    killProcessTree,
    lastErrorLine,
    restorePriority,
)

_NOT_STARTED = -1
_running: set[LibraryProcess] = set()  # keeps processes alive that nobody else references


class LibraryProcess:
    """Runs `python -m GenSegLib ...` asynchronously.

    Attributes:
        onEvent: called with each event.
        onFinished: called once, with the exit code and a one-line error message ("" if none).
    """

    def __init__(self) -> None:
        self.onEvent: Callable[[dict[str, Any]], None] = lambda event: None
        self.onFinished: Callable[[int, str], None] = lambda code, message: None
        self._process: Any = None
        self._ended = False
        self._error = ""
        self._stdout = EventReader()
        self._stderr = EventReader()

    @property
    def isRunning(self) -> bool:
        """Whether the process was started and has not ended."""
        return self in _running

    @property
    def output(self) -> str:
        """Last lines of the standard output that are not events."""
        return self._stdout.otherText

    @property
    def details(self) -> str:
        """Last lines of the standard error: warnings, or the traceback of a bug."""
        return self._stderr.otherText

    def start(self, arguments: Sequence[object]) -> None:
        """Start the process; called once.

        Raises:
            GenSegError: there is no Python executable. Later errors are passed to `onFinished`.
        """
        program = pythonExecutable()
        process = qt.QProcess()
        process.setWorkingDirectory(str(libraryFolder()))
        process.connect("started()", lambda: restorePriority(int(process.processId())))
        process.connect("readyReadStandardOutput()", self._readStdout)
        process.connect("readyReadStandardError()", self._readStderr)
        process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._onError)
        slicer.app.connect("aboutToQuit()", self.kill)
        self._process = process
        _running.add(self)
        process.start(program, libraryArguments([str(text) for text in arguments]))

    def kill(self) -> None:
        """Kill the process and its descendants; `onFinished` is called afterwards."""
        if self.isRunning:
            killProcessTree(int(self._process.processId()))

    def write(self, data: bytes) -> None:
        """Write to the process's standard input, without waiting until it is read."""
        if self.isRunning:
            self._process.write(data)

    def closeInput(self) -> None:
        """End the process's standard input, which ends a process that waits for requests."""
        if self.isRunning:
            self._process.closeWriteChannel()

    def _readStdout(self) -> None:
        self._handle(self._stdout.feed(bytes(self._process.readAllStandardOutput().data())))

    def _readStderr(self) -> None:
        self._stderr.feed(bytes(self._process.readAllStandardError().data()))

    def _handle(self, events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            if event["kind"] == "error":
                self._error = event["text"]
            self.onEvent(event)

    def _onError(self, error: Any) -> None:
        if error == qt.QProcess.FailedToStart:
            text = _("{program} cannot be started; check the Slicer installation")
            self._finish(_NOT_STARTED, text.format(program=pythonExecutable()))

    def _onFinished(self, code: int, status: Any) -> None:
        if self._ended:
            return
        self._readStdout()
        self._readStderr()
        self._handle(self._stdout.finish())
        self._stderr.finish()
        crashed = status == qt.QProcess.CrashExit
        message = ""
        if crashed or code:
            reported = self._error or lastErrorLine(self.details)
            message = reported or describeExit(-code if crashed else code)
        self._finish(code or (1 if crashed else 0), message)

    def _finish(self, code: int, message: str) -> None:
        if self._ended:
            return
        self._ended = True
        slicer.app.disconnect("aboutToQuit()", self.kill)
        _running.discard(self)
        # Qt is still emitting a signal of this object: delete it afterwards.
        process = self._process
        qt.QTimer.singleShot(0, lambda: process.deleteLater())
        self.onFinished(code, message)
