"""What trainings, segmentations and comparisons have in common: they take their time."""

from __future__ import annotations

import time
from typing import Any

import slicer

from GenSegSlicerLib.Observers import Observers

ACTIVE = ("preparing", "running", "stopping")
_PAUSE_S = 0.01


class Job:
    """Something that goes on while the user works.

    Attributes:
        observers: called with the job after each change, in Slicer's own thread.
        state: "preparing" while files are written, "running", "stopping", then "stopped",
            "cancelled", "failed" or "finished".
        phase: what the library does, one of `GenSegLib.events.PHASES`; "" before it tells.
        fraction: how much of the whole job is done, 0 to 1.
        remainingS: estimate of the seconds that remain, None where unknown.
        message: one line: what went wrong, or how the job ended.
        details: the last lines that the process said, for a log.
    """

    def __init__(self) -> None:
        self.observers = Observers()
        self.state = "preparing"
        self.phase = ""
        self.fraction = 0.0
        self.remainingS: float | None = None
        self.message = ""

    @property
    def details(self) -> str:
        """The last lines that the process said."""
        return ""

    @property
    def isActive(self) -> bool:
        """Whether the job goes on."""
        return self.state in ACTIVE

    def wait(self) -> None:
        """Let Slicer go on with everything until the job has ended."""
        while self.isActive:
            slicer.app.processEvents()
            time.sleep(_PAUSE_S)

    def _change(self, state: str, message: str = "") -> None:
        self.state = state
        self.message = message
        if state == "finished":
            self.fraction = 1.0
        if not self.isActive:
            self.remainingS = None
        self._tell()

    def _tell(self) -> None:
        self.observers.tell(self)


def awaited(job: Any, wait: bool) -> Any:
    """Give a job back: at once, or when it has ended."""
    if wait:
        job.wait()
    return job
