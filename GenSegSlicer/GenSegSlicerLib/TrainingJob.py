"""A training that Slicer started, or that it found again."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder, State
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.EventTail import EventTail
from GenSegSlicerLib.Job import Job
from GenSegSlicerLib.Observers import Observers
from GenSegSlicerLib.RunEnding import settle
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.Trainer import Trainer
from GenSegSlicerLib.TrainingProgress import TrainingProgress
from GenSegSlicerLib.Turns import Turns

STOP_PATIENCE_S = 30.0
_POLL_MS = 200
_PREPARING = 0.03  # share of the whole job


class TrainingJob(Job):
    """Follows one training through its run folder, from the cases to the model.

    The process is not Slicer's to end: it goes on when the job is forgotten, the module reloaded
    or Slicer closed, and `follow` finds it again.

    Attributes:
        runFolder: the run; None until its folder is complete.
        events: all events so far.
        eventObservers: called with each further event.
        lastDice: mean Dice of the held-back cases when they were last segmented.
        stopIsOverdue: a stop was asked for `STOP_PATIENCE_S` ago, and `kill` should be offered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.runFolder: Path | None = None
        self.events: list[dict[str, Any]] = []
        self.eventObservers = Observers()
        self.stopIsOverdue = False
        self._progress = TrainingProgress()
        self._turns: Turns | None = None
        self._trainer: Trainer | None = None
        self._tail: EventTail | None = None
        self._askedAt = 0.0
        self._timer = qt.QTimer()
        self._timer.connect("timeout()", self._follow)

    @property
    def lastDice(self) -> float | None:
        """Mean Dice of the held-back cases when they were last segmented."""
        return self._progress.lastDice

    @property
    def details(self) -> str:
        """The last lines that the training's process said."""
        return "" if self._trainer is None else self._trainer.output

    def train(self, writer: CaseWriter, runFolder: Path) -> None:
        """Write the cases and train on them.

        Args:
            writer: of the cases.
            runFolder: to make.
        """
        self._turns = Turns(
            writer.steps(runFolder), self._onWritten, lambda fault: self._start(runFolder, fault)
        )

    def resume(self, runFolder: Path) -> None:
        """Go on with a run that no process trains.

        Raises:
            GenSegError: the process cannot be started.
        """
        self._observe(runFolder, Trainer(runFolder, ["resume", str(runFolder)]))

    def follow(self, runFolder: Path) -> None:
        """Follow a run that a process trains that this Slicer did not start.

        A run that nobody trains is read to its end at once.
        """
        self._observe(runFolder, Trainer(runFolder))
        if not self._run.is_running():
            while self._takeNext():
                pass
            self._end()

    def stop(self) -> None:
        """Ask the training to finish its step, write a checkpoint and end.

        Raises:
            GenSegError: the request cannot be written into the run folder.
        """
        if self.state == "preparing":
            self._turns.cancel()
            self._change("stopped", _("Stopped before the training began; nothing was written"))
        elif self.state == "running":
            self._run.request_stop()
            self._askedAt = time.monotonic()
            self._change("stopping", _("Stopping: the training finishes its step and saves"))

    def kill(self) -> None:
        """End the training at once; what came after its last checkpoint is lost."""
        if self.state == "preparing":
            self.stop()
        elif self.isActive:
            impossible = self._trainer.kill()
            if impossible:
                self._change(self.state, impossible)

    @property
    def _run(self) -> RunFolder:
        return RunFolder(self.runFolder)

    def _onWritten(self, share: float) -> None:
        self.fraction = _PREPARING * share
        self._tell()

    def _start(self, runFolder: Path, fault: str) -> None:
        if fault:
            self._change("failed", fault)
            return
        try:
            trainer = Trainer(runFolder, ["train", str(runFolder)])
        except GenSegError as error:
            self.runFolder = runFolder
            self._change("failed", str(error))
        else:
            self._observe(runFolder, trainer)

    def _observe(self, runFolder: Path, trainer: Trainer) -> None:
        self.runFolder = runFolder
        self._trainer = trainer
        RunHistory().addRun(runFolder)
        self._tail = EventTail(self._run.events_file)
        self.fraction = _PREPARING
        self._timer.start(_POLL_MS)
        self._change("running")

    def _follow(self) -> None:
        """Take in what is new; called again and again."""
        ended = self._trainer.hasEnded()
        known = len(self.events)
        more = self._takeNext()
        self._timer.setInterval(0 if more else _POLL_MS)
        if ended and not more:
            self._end()
        elif self._pressStop() or len(self.events) > known:
            self._tell()

    def _takeNext(self) -> bool:
        """Take in the next events; tells whether there are still more."""
        events, more = self._tail.read()
        for event in events:
            self._take(event)
        return more

    def _take(self, event: dict[str, Any]) -> None:
        self._progress.take(event)
        self.events.append(event)
        self.phase = self._progress.phase
        self.remainingS = self._progress.remainingS
        self.fraction = _PREPARING + (1 - _PREPARING) * self._progress.share
        self.eventObservers.tell(event)

    def _pressStop(self) -> bool:
        """Ask again where a training that was just resumed forgot it; tells what is overdue."""
        if self.state != "stopping":
            return False
        if self._progress.state == State.RUNNING.value and not self._run.stop_requested():
            with suppress(GenSegError):  # it is said to be overdue after a while
                self._run.request_stop()
        late = time.monotonic() - self._askedAt > STOP_PATIENCE_S
        if not late or self.stopIsOverdue:
            return False
        self.stopIsOverdue = True
        text = _("The training has not stopped within {s:.0f} s; it can be ended at once")
        self.message = text.format(s=STOP_PATIENCE_S)
        return True

    def _end(self) -> None:
        self._timer.stop()
        trainer, progress = self._trainer, self._progress
        told = progress.error if progress.errorTime >= trainer.startedAt else ""
        ending = settle(self._run, trainer.exitCode, told or trainer.fault, trainer.wasKilled)
        self._change(*ending)
