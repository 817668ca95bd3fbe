"""Base class of asynchronous training runs, segmentations and evaluations."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.steps import Steps

ACTIVE = ("preparing", "running", "stopping")
_POLL_S = 0.01
_TURN_S = 0.02


class Observers:
    """Callbacks that are invoked in the order in which they were added."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[Any], None]] = []

    def add(self, callback: Callable[[Any], None]) -> None:
        """Invoke this callback at each notification."""
        self._callbacks.append(callback)

    def discard(self, callback: Callable[[Any], None]) -> None:
        """Remove a callback if it is present."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)

    def notify(self, data: Any) -> None:
        """Invoke all callbacks; they may remove themselves meanwhile."""
        for callback in list(self._callbacks):
            callback(data)


class Job:
    """An asynchronous operation.

    Attributes:
        observers: called with the job after each change, in the main thread.
        state: "preparing" while input files are written, then "running" or "stopping", finally
            "stopped", "cancelled", "failed" or "finished".
        phase: current phase, one of `GenSegLib.events.PHASES`; "" until the library reports one.
        fraction: completed part of the whole job, 0 to 1.
        remainingS: estimated remaining time in seconds, None if unknown.
        message: one line: the error, or how the job ended.
        details: last lines of the process's output, for a log.
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
        """Last lines of the process's output."""
        return ""

    @property
    def isActive(self) -> bool:
        """Whether the job has not ended yet."""
        return self.state in ACTIVE

    def wait(self) -> None:
        """Process application events until the job has ended."""
        while self.isActive:
            slicer.app.processEvents()
            time.sleep(_POLL_S)

    def _setState(self, state: str, message: str = "") -> None:
        self.state = state
        self.message = message
        if state == "finished":
            self.fraction = 1.0
        if not self.isActive:
            self.remainingS = None
        self._notify()

    def _notify(self) -> None:
        self.observers.notify(self)


def waitIfRequested(job: Any, wait: bool) -> Any:
    """Return a job immediately, or after it has ended."""
    if wait:
        job.wait()
    return job


class IdleTask:
    """Runs a generator from a zero-interval timer, a moment at a time, so the GUI stays responsive.

    A step with a known fraction ends a turn. The task is canceled when the application quits.

    Args:
        steps: does a small part of the work per step.
        onStep: called with the completed fraction whenever it is known.
        onFinished: called once at the end, with "" or a one-line error message.
    """

    def __init__(
        self, steps: Steps, onStep: Callable[[float], None], onFinished: Callable[[str], None]
    ) -> None:
        self._steps = steps
        self._onStep = onStep
        self._onFinished = onFinished
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.connect("timeout()", self._runTurn)
        slicer.app.connect("aboutToQuit()", self.cancel)
        self._timer.start()

    def cancel(self) -> None:
        """Close the generator, which cleans up; `onFinished` is not called."""
        self._stopTimer()
        self._steps.close()

    def _runTurn(self) -> None:
        end = time.monotonic() + _TURN_S
        try:
            fraction = next(self._steps)
            while fraction is None and time.monotonic() < end:
                fraction = next(self._steps)
        except StopIteration:
            self._finish("")
        except GenSegError as error:
            self._finish(str(error))
        except OSError as error:  # a drive that is away, for example
            text = _("{path}: {reason}; check the drive and the permissions, then try again")
            reason = error.strerror or str(error)
            self._finish(text.format(path=error.filename or _("A file"), reason=reason))
        except Exception as error:
            text = _("This is a bug in GenSeg; please report it ({error})")
            self._finish(text.format(error=repr(error)))
            raise
        else:
            if fraction is not None:
                self._onStep(fraction)

    def _finish(self, error: str) -> None:
        self._stopTimer()
        self._onFinished(error)

    def _stopTimer(self) -> None:
        self._timer.stop()
        slicer.app.disconnect("aboutToQuit()", self.cancel)
