"""The process that trains a run, started by this application or by another one."""

from __future__ import annotations

import socket
import subprocess  # nosec B404 - arguments are lists, never a shell's text
import sys
import time
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.Library import libraryArguments, libraryFolder, pythonExecutable
from GenSegSlicerLib.Processes import killProcessTree, lastErrorLine, restorePriority

LOG = "process.log"
_CHECK_INTERVAL_S = 1.0
_TAIL_BYTES = 16 * 1024


class TrainingProcess:
    """Reports whether a run is being trained, and kills its process on request.

    Args:
        runFolder: folder of the run.
        arguments: command-line arguments to start the training with; None if another application
            trains the run.

    Attributes:
        startedAt: start time in seconds since 1970; 0 if another application started it.
        wasKilled: whether the user killed it.

    Raises:
        GenSegError: the process cannot be started.
    """

    def __init__(self, runFolder: Path, arguments: list[str] | None = None) -> None:
        self.startedAt = 0.0
        self.wasKilled = False
        self._run = RunFolder(runFolder)
        self._lastCheck = 0.0
        self._process: DetachedProcess | None = None
        if arguments is not None:
            self.startedAt = time.time()
            self._process = DetachedProcess(arguments, runFolder / LOG)

    @property
    def exitCode(self) -> int | None:
        """Exit code; None while the process runs, or if another application started it."""
        return None if self._process is None else self._process.exitCode

    @property
    def output(self) -> str:
        """Last lines of its output."""
        return _readTail(self._run.path / LOG) if self._process is None else self._process.output

    @property
    def errorLine(self) -> str:
        """Error that the process printed before it could write events, "" if none."""
        return "" if self._process is None else lastErrorLine(self._process.output)

    def hasEnded(self) -> bool:
        """Whether the run is no longer trained; checked once a second for foreign processes."""
        if self._process is not None:
            return self._process.exitCode is not None
        now = time.monotonic()
        if now - self._lastCheck < _CHECK_INTERVAL_S:
            return False
        self._lastCheck = now
        return not self._run.is_running()

    def kill(self) -> str:
        """Kill the process; returns a one-line reason if that is impossible, "" otherwise."""
        if self._process is not None:
            self.wasKilled = True
            self._process.kill()
        if not self._run.is_running():
            return ""
        status = self._run.read_status()
        host = status.get("host")
        if host != socket.gethostname():
            return _("The training runs on {host} and can only be ended there").format(host=host)
        self.wasKilled = True
        killProcessTree(int(status.get("process", 0)))
        return ""


class DetachedProcess:
    """`python -m GenSegLib ...` in a session of its own; its output is appended to a log file.

    Args:
        arguments: command-line arguments.
        log: path of the log file.

    Raises:
        GenSegError: the log file cannot be written, or there is no Python executable.
    """

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._log = log
        command = [pythonExecutable(), *libraryArguments(arguments)]
        try:
            with log.open("ab") as stream:
                self._start = stream.tell()
                self._process = subprocess.Popen(  # nosec B603
                    command,
                    cwd=libraryFolder(),
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    **_newSession(),
                )
        except OSError as error:
            reason = error.strerror or str(error)
            text = _("{path}: the training cannot be started ({reason})")
            raise GenSegError(text.format(path=log.parent, reason=reason)) from error
        restorePriority(self._process.pid)

    @property
    def exitCode(self) -> int | None:
        """Exit code, None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """Last lines of the output since the start."""
        return _readTail(self._log, self._start)

    def kill(self) -> None:
        """Kill the process and its descendants."""
        if self.exitCode is None:
            killProcessTree(self._process.pid)


def _readTail(log: Path, start: int = 0) -> str:
    """Read the last lines of a log file from an offset on; "" if it cannot be read."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(start, log.stat().st_size - _TAIL_BYTES))
            return stream.read(_TAIL_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _newSession() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
