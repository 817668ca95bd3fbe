"""A process of GenSegLib that outlives Slicer: the training.

It is no QProcess. A QProcess ends its child when it is destroyed, at the latest when Slicer is
closed, and the pipe that it reads breaks when Slicer dies; its detached children tell Python
neither their number nor how they ended. This process leads a session of its own and writes what
it says into a file, so that closing Slicer, a crash of Slicer or Ctrl+C in its terminal leave it
alone. Its progress is read from the run folder, whoever started it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Library import commandLine, libraryFolder, pythonProgram
from GenSegSlicerLib.ProcessTree import killTree

_TAIL_BYTES = 16 * 1024


class DetachedProcess:
    """Starts `python -m GenSegLib ...`; what it says is appended to a log file.

    Args:
        arguments: of the command line.
        log: the file.

    Raises:
        GenSegError: the file cannot be written, or there is no Python to start.
    """

    def __init__(self, arguments: list[str], log: Path) -> None:
        self._log = log
        command = [pythonProgram(), *commandLine(arguments)]
        try:
            with log.open("ab") as stream:
                self._start = stream.tell()
                self._process = subprocess.Popen(  # nosec B603
                    command,
                    cwd=libraryFolder(),
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                    **_ownSession(),
                )
        except OSError as fault:
            reason = fault.strerror or str(fault)
            text = _("{path}: the training cannot be started ({reason})")
            raise GenSegError(text.format(path=log.parent, reason=reason)) from fault

    @property
    def exitCode(self) -> int | None:
        """How it ended, None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """The last lines that it said since it was started."""
        return readTail(self._log, self._start)

    def kill(self) -> None:
        """End it and all that it started, at once."""
        if self.exitCode is None:
            killTree(self._process.pid)


def readTail(log: Path, start: int = 0) -> str:
    """The last lines of a log file, from a place in it on; "" where it cannot be read."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(start, log.stat().st_size - _TAIL_BYTES))
            return stream.read(_TAIL_BYTES).decode("utf-8", errors="replace")
    except OSError:
        return ""


def _ownSession() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
