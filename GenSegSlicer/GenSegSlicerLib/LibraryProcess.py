"""A verb of GenSegLib in a process of its own, followed through its output.

For what Slicer waits for: predictions, scores, devices, phantoms. It ends with Slicer. A training
outlives Slicer and is started by `DetachedProcess`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GenSegSlicerLib.EventReader import EventReader
from GenSegSlicerLib.Library import commandLine, libraryFolder, pythonProgram
from GenSegSlicerLib.ProcessText import describeEnd, lastFault
from GenSegSlicerLib.ProcessTree import killTree

_NOT_STARTED = -1
_running: set[LibraryProcess] = set()  # Python must not collect the ones that nobody holds


class LibraryProcess:
    """Runs `python -m GenSegLib ...` and never keeps Slicer waiting.

    Attributes:
        onEvent: called with each event.
        onFinished: called once, with the exit code and, after a fault, its one line ("" else).
    """

    def __init__(self) -> None:
        self.onEvent: Callable[[dict[str, Any]], None] = lambda event: None
        self.onFinished: Callable[[int, str], None] = lambda code, message: None
        self._process: Any = None
        self._ended = False
        self._error = ""
        self._output = EventReader()
        self._complaints = EventReader()

    @property
    def isRunning(self) -> bool:
        """Whether the process was started and has not ended."""
        return self in _running

    @property
    def output(self) -> str:
        """The last lines that it printed and that are no events."""
        return self._output.rest

    @property
    def details(self) -> str:
        """The last lines of what it said besides: warnings, and after a bug the traceback."""
        return self._complaints.rest

    def start(self, arguments: Sequence[object]) -> None:
        """Start the process; called once.

        Raises:
            GenSegError: Slicer has no Python to start. Later faults are told by `onFinished`.
        """
        program = pythonProgram()
        process = qt.QProcess()
        process.setWorkingDirectory(str(libraryFolder()))
        process.connect("readyReadStandardOutput()", self._readOutput)
        process.connect("readyReadStandardError()", self._readComplaints)
        process.connect("finished(int,QProcess::ExitStatus)", self._onFinished)
        process.connect("errorOccurred(QProcess::ProcessError)", self._onError)
        slicer.app.connect("aboutToQuit()", self.kill)
        self._process = process
        _running.add(self)
        process.start(program, commandLine([str(text) for text in arguments]))

    def kill(self) -> None:
        """End the process and all that it started; `onFinished` follows."""
        if self.isRunning:
            killTree(int(self._process.processId()))

    def _readOutput(self) -> None:
        self._take(self._output.feed(bytes(self._process.readAllStandardOutput().data())))

    def _readComplaints(self) -> None:
        self._complaints.feed(bytes(self._process.readAllStandardError().data()))

    def _take(self, events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            if event["kind"] == "error":
                self._error = event["text"]
            self.onEvent(event)

    def _onError(self, error: Any) -> None:
        if error == qt.QProcess.FailedToStart:
            self._end(
                _NOT_STARTED, _("{program} cannot be started").format(program=pythonProgram())
            )

    def _onFinished(self, code: int, status: Any) -> None:
        if self._ended:
            return
        self._readOutput()
        self._readComplaints()
        self._take(self._output.finish())
        self._complaints.finish()
        crashed = status == qt.QProcess.CrashExit
        message = ""
        if crashed or code:
            told = self._error or lastFault(self.details)
            message = told or describeEnd(-code if crashed else code)
        self._end(code or (1 if crashed else 0), message)

    def _end(self, code: int, message: str) -> None:
        if self._ended:
            return
        self._ended = True
        slicer.app.disconnect("aboutToQuit()", self.kill)
        _running.discard(self)
        # Qt is still within this process's signal: let go of the object after it.
        process = self._process
        qt.QTimer.singleShot(0, lambda: process.deleteLater())
        self.onFinished(code, message)
