"""A training that this application started or reconnected to."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import qt
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder, State
from GenSegLib.steps import Steps
from GenSegSlicerLib.EventReader import EventFile
from GenSegSlicerLib.Job import IdleTask, Job, Observers
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.RunOutcome import recordOutcome
from GenSegSlicerLib.TrainingProcess import TrainingProcess
from GenSegSlicerLib.TrainingProgress import TrainingProgress

STOP_TIMEOUT_S = 30.0
_POLL_MS = 200
_WRITING_FRACTION = 0.03  # fraction of the whole job that writing the cases takes


class RunWriter(Protocol):
    """Creates the run folder of a training."""

    def steps(self, folder: Path) -> Steps:
        """Write the run folder in small steps; raises GenSegError."""


class TrainingJob(Job):
    """Monitors one training through its run folder, from writing the cases to the final model.

    The process does not end with the job: it continues when the module is reloaded or Slicer is
    closed, and `follow` reconnects to it.

    Attributes:
        runFolder: the run; None until its folder has been written.
        events: all events so far.
        eventObservers: called with each new event.
        lastDice: mean validation Dice of the last validation.
        stopIsOverdue: whether a stop was requested more than `STOP_TIMEOUT_S` ago, so that `kill`
            should be offered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runFolder: Path | None = None
        self.events: list[dict[str, Any]] = []
        self.eventObservers = Observers()
        self.stopIsOverdue = False
        self._progress = TrainingProgress()
        self._options: list[str] = []
        self._task: IdleTask | None = None
        self._process: TrainingProcess | None = None
        self._eventFile: EventFile | None = None
        self._stopRequestedAt = 0.0
        self._timer = qt.QTimer()
        self._timer.connect("timeout()", self._poll)

    @property
    def lastDice(self) -> float | None:
        """Mean validation Dice of the last validation."""
        return self._progress.lastDice

    @property
    def details(self) -> str:
        """Last lines of the training process's output."""
        return "" if self._process is None else self._process.output

    def train(self, writer: RunWriter, runFolder: Path, options: Sequence[str] = ()) -> None:
        """Write the cases into a new run folder and train on them.

        Args:
            writer: creates the run folder.
            runFolder: path of the run folder.
            options: of `genseg train`, such as `--from MODEL`.
        """
        self._options = list(options)
        self._task = IdleTask(
            writer.steps(runFolder), self._onWritten, lambda error: self._start(runFolder, error)
        )

    def resume(self, runFolder: Path) -> None:
        """Resume a run that no process is training.

        Raises:
            GenSegError: the process cannot be started.
        """
        self._monitor(runFolder, TrainingProcess(runFolder, ["resume", str(runFolder)]))

    def follow(self, runFolder: Path) -> None:
        """Monitor a training that another application started.

        If no process is training the run, its events are read and the job ends immediately.
        """
        self._monitor(runFolder, TrainingProcess(runFolder))
        if not self._run.is_running():
            while self._readEvents():
                pass
            self._finish()

    def stop(self) -> None:
        """Ask the training to finish its step, save a checkpoint and end.

        Raises:
            GenSegError: the request cannot be written into the run folder.
        """
        if self.state == "preparing":
            self._task.cancel()
            self._setState("stopped", _("Stopped before the training started; nothing was saved"))
        elif self.state == "running":
            self._run.request_stop()
            self._stopRequestedAt = time.monotonic()
            text = _("Stopping: finishing the current step and saving a checkpoint")
            self._setState("stopping", text)

    def kill(self) -> None:
        """End the training immediately; progress since the last checkpoint is lost."""
        if self.state == "preparing":
            self.stop()
        elif self.isActive:
            reason = self._process.kill()
            if reason:
                self._setState(self.state, reason)

    @property
    def _run(self) -> RunFolder:
        return RunFolder(self.runFolder)

    def _onWritten(self, fraction: float) -> None:
        self.fraction = _WRITING_FRACTION * fraction
        self._notify()

    def _start(self, runFolder: Path, error: str) -> None:
        if error:
            self._setState("failed", error)
            return
        try:
            process = TrainingProcess(runFolder, ["train", str(runFolder), *self._options])
        except GenSegError as exception:
            self.runFolder = runFolder
            self._setState("failed", str(exception))
        else:
            self._monitor(runFolder, process)

    def _monitor(self, runFolder: Path, process: TrainingProcess) -> None:
        self.runFolder = runFolder
        self._process = process
        RunHistory().addRun(runFolder)
        self._eventFile = EventFile(self._run.events_file)
        self.fraction = _WRITING_FRACTION
        self._timer.start(_POLL_MS)
        self._setState("running")

    def _poll(self) -> None:
        """Read new events; called by the timer."""
        ended = self._process.hasEnded()
        known = len(self.events)
        more = self._readEvents()
        self._timer.setInterval(0 if more else _POLL_MS)
        if ended and not more:
            self._finish()
        elif self._checkStopRequest() or len(self.events) > known:
            self._notify()

    def _readEvents(self) -> bool:
        """Read the next events; returns whether more are left."""
        events, more = self._eventFile.read()
        for event in events:
            self._handleEvent(event)
        return more

    def _handleEvent(self, event: dict[str, Any]) -> None:
        self._progress.update(event)
        self.events.append(event)
        self.phase = self._progress.phase
        self.remainingS = self._progress.remainingS
        self.fraction = _WRITING_FRACTION + (1 - _WRITING_FRACTION) * self._progress.fraction
        self.eventObservers.notify(event)

    def _checkStopRequest(self) -> bool:
        """Repeat a stop request that a restart removed; returns whether it became overdue."""
        if self.state != "stopping":
            return False
        if self._progress.state == State.RUNNING.value and not self._run.stop_requested():
            with suppress(GenSegError):  # reported as overdue after the timeout
                self._run.request_stop()
        late = time.monotonic() - self._stopRequestedAt > STOP_TIMEOUT_S
        if not late or self.stopIsOverdue:
            return False
        self.stopIsOverdue = True
        text = _("The training has not stopped within {s:.0f} s; you can end it now")
        self.message = text.format(s=STOP_TIMEOUT_S)
        return True

    def _finish(self) -> None:
        self._timer.stop()
        process, progress = self._process, self._progress
        error = progress.error if progress.errorTime >= process.startedAt else ""
        error = error or process.errorLine
        self._setState(*recordOutcome(self._run, process.exitCode, error, process.wasKilled))
