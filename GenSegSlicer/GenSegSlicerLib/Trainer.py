"""The process that trains a run, whether this Slicer started it or not."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from slicer.i18n import tr as _

from GenSegLib.runs import RunFolder
from GenSegSlicerLib.DetachedProcess import DetachedProcess, readTail
from GenSegSlicerLib.ProcessText import lastFault
from GenSegSlicerLib.ProcessTree import killTree

LOG = "process.log"
_LOOK_EVERY_S = 1.0


class Trainer:
    """Tells whether a run is still trained, and ends that at once.

    Args:
        runFolder: of the run.
        arguments: of the command line that is to train it; None where another process does.

    Attributes:
        startedAt: seconds since 1970; 0 where it was started by someone else.
        wasKilled: whether the user ended it at once.

    Raises:
        GenSegError: the process cannot be started.
    """

    def __init__(self, runFolder: Path, arguments: list[str] | None = None) -> None:
        self.startedAt = 0.0
        self.wasKilled = False
        self._run = RunFolder(runFolder)
        self._lookedAt = 0.0
        self._process: DetachedProcess | None = None
        if arguments is not None:
            self.startedAt = time.time()
            self._process = DetachedProcess(arguments, runFolder / LOG)

    @property
    def exitCode(self) -> int | None:
        """How the process ended; None while it runs, and where another one started it."""
        return None if self._process is None else self._process.exitCode

    @property
    def output(self) -> str:
        """The last lines that it said."""
        return readTail(self._run.path / LOG) if self._process is None else self._process.output

    @property
    def fault(self) -> str:
        """The fault that the process told before it could write events, "" for none."""
        return "" if self._process is None else lastFault(self._process.output)

    def hasEnded(self) -> bool:
        """Whether nobody trains the run any more; of another's process it is known a bit later."""
        if self._process is not None:
            return self._process.exitCode is not None
        now = time.monotonic()
        if now - self._lookedAt < _LOOK_EVERY_S:
            return False
        self._lookedAt = now
        return not self._run.is_running()

    def kill(self) -> str:
        """End the process at once; gives in one line why that is not possible, "" where it is."""
        if self._process is not None:
            self.wasKilled = True
            self._process.kill()
        if not self._run.is_running():
            return ""
        status = self._run.read_status()
        host = status.get("host")
        if host != socket.gethostname():
            return _("The training runs on {host}, where alone it can be ended").format(host=host)
        self.wasKilled = True
        killTree(int(status.get("process", 0)))
        return ""
