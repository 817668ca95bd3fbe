"""The phases of a training: warm-up, joint rounds, final phase.

The warm-up trains the generator alone. In the joint phase generator and segmenter train together
and the segmenter's loss on held-back cases steers the upper-level variables. In the final phase
the found recipe trains the segmenter on all labeled cases, those held back included.
"""

from __future__ import annotations

import time

import torch

from ..computing import distributed
from ..computing.devices import is_out_of_memory
from ..errors import DriveAway
from ..events import EventLog
from ..files import reachable
from ..run_lock import RunLock
from ..runs import RunFolder, State
from .assembly import require_patches
from .pace import Pace
from .rounds import Rounds
from .schedule import PHASES, Schedule
from .session import load_session
from .setbacks import LossDiverged, Setback, note_setback, require_numbers
from .standing import Kept, Standing, keep, load_kept
from .trained_model import write_model
from .tuning import Tuning

_TELL_EVERY = 5
_HEARTBEAT_S = 5.0
_HASTE = 0.25  # of the final steps


class StopRequested(Exception):  # noqa: N818 - not an error
    """The user asked for a stop; the checkpoint is written."""


class Training:
    """Runs the phases of one training; see :func:`train`.

    Args:
        run: the run folder.
        events: told of what happens.
        lock: of the run folder; None for a process that does not write there.
        resume: go on from the last checkpoint, where there is one.
    """

    def __init__(
        self, run: RunFolder, events: EventLog, lock: RunLock | None, *, resume: bool = False
    ) -> None:
        self.run_folder, self.events, self.lock = run, events, lock
        self.config = run.config
        require_patches(self.config.segmenter, run.preset)
        self.tuning, self.pace = Tuning(run, events.log), Pace()
        self.rounds = Rounds(run, events, leads=lock is not None)
        kept = self._find_kept() if resume else None
        self.standing = kept.standing if kept else Standing()
        self._settle()
        self.session = load_session(run, events)
        self.learner = self.session.learner
        self.schedule = Schedule.of(self.config)
        if kept:
            self._restore(kept)
        self._adapt()
        self._since = self._saved = self._beaten = time.monotonic()
        self._phase_start = 0, 0.0

    @property
    def done(self) -> int:
        """Steps of all phases so far."""
        return self.schedule.before(self.standing.phase) + self.standing.step

    def run(self) -> None:
        """Run all phases from where the training stands, then write the model."""
        while (setback := self._run_phases()) is not None:
            self._go_back(setback)
        self._save()
        self._tell_of_haste()
        if self.lock is not None:
            dice = self.standing.last_dice
            names, tell = self.session.names, self.events.log
            write_model(self.run_folder, self.learner, names, dice, tell)

    def _settle(self) -> None:
        """Choose how the training computes, or take what it began with, before it prepares cases.

        Where other programs compute, preparing them on too many threads takes many times as long.
        """
        if self.standing.threads:
            torch.set_num_threads(min(self.standing.threads, torch.get_num_threads()))
        else:
            self.standing.memory_format = self.tuning.choose()
            self.standing.threads = torch.get_num_threads()

    def _tune_again(self) -> None:
        """Choose threads anew: other programs may have begun to compute, or ended."""
        self.tuning.look_again(self.standing.memory_format)
        self.standing.threads = torch.get_num_threads()

    def _run_phases(self) -> Setback | None:
        """Run the phases to their end, or to what the training can go back from."""
        try:
            with reachable(self.run_folder.path):
                self._run_phases_through()
        except LossDiverged as fault:
            return fault.with_traceback(None)
        except DriveAway as fault:
            if distributed.count() > 1:
                raise  # the other processes would wait meanwhile
            return fault.with_traceback(None)
        except (RuntimeError, MemoryError) as fault:
            if not is_out_of_memory(fault) or distributed.count() > 1:
                raise  # the other processes would wait for this one's part of the batch
            return MemoryError()
        return None

    def _run_phases_through(self) -> None:
        for phase in PHASES[PHASES.index(self.standing.phase) :]:
            if phase != self.standing.phase:
                self.standing.phase, self.standing.step = phase, 0
            self._run_phase(phase)
        self._require_sound()

    def _go_back(self, setback: Setback) -> None:
        """Go on from the last checkpoint, or the start, with what the setback asks for."""
        before, largest = self.standing, self.learner.problem.pieces.largest
        told = note_setback(setback, before, self.done, largest, self.run_folder)
        self.events.log(told, "warning")
        kept = self._find_kept()
        if kept:
            self._restore(kept)
        else:
            del self.session, self.learner  # memory may not suffice for a second one beside it
            self.session = load_session(self.run_folder, self.events)
            self.learner, self.standing = self.session.learner, Standing()
        self.standing.keep_on(before)
        self._adapt()
        self._save()

    def _adapt(self) -> None:
        """Go on with steps and batches as small as the setbacks so far ask for, as was chosen."""
        self.learner.lay_out(self.standing.memory_format)
        self.learner.slow_down(0.5**self.standing.halvings)
        self.learner.problem.pieces.size = self.standing.micro_batch

    def _run_phase(self, phase: str) -> None:
        standing, schedule = self.standing, self.schedule
        self._phase_start = standing.step, self._elapsed()
        while not schedule.is_over(phase, standing.step, self._elapsed()):
            self._stop_if_asked()
            began = time.monotonic()
            with self.learner.own_draws():
                losses = distributed.averaged(self._step(phase, standing.step))
            standing.step += 1
            if self.pace.asks_for_a_look(time.monotonic() - began, schedule.costs[phase]):
                self._tune_again()
            self._tell(phase, losses)
            if standing.step % self.config.validate_every == 0 and self._end_round(phase):
                break
            self._keep_alive()
        if phase == "joint" and standing.step % self.config.validate_every:
            self._end_round(phase)

    def _step(self, phase: str, step: int) -> dict[str, float]:
        if phase == "warm-up":
            return self.learner.warm_up_step()
        elapsed = self._elapsed()
        self.learner.set_segmenter_rate(self.schedule.segmenter_rate(phase, step, elapsed))
        self.learner.passed = self.schedule.passed(phase, step, elapsed)
        if phase == "final":
            return self.learner.final_step()
        if self.config.reduce_cells and step == self.schedule.steps["joint"] // 2:
            kept = [f"{cell}: {name}" for cell, name in self.learner.reduce_cells().items()]
            none = "nothing, since this generator has none"
            self.events.log(f"cells reduced to {', '.join(kept) or none}")
        return self.learner.joint_step(step)

    def _end_round(self, phase: str) -> bool:
        """Look back on a round and hear the user; tell whether the phase is to end."""
        self.rounds.hear(self.learner)
        if self.tuning.may_take_more:
            self._tune_again()
        if phase != "joint":
            return False
        self.rounds.look_back(self.session, self.standing, self.done)
        stalled = 0 < self.config.patience <= self.standing.waited
        if stalled:
            self.events.log("validation Dice has stopped rising: the joint phase ends")
        return stalled

    def _tell(self, phase: str, losses: dict[str, float]) -> None:
        standing = self.standing
        require_numbers(losses)
        if standing.step % _TELL_EVERY and standing.step != self.schedule.steps[phase]:
            return
        elapsed = self._elapsed()
        first, began = self._phase_start
        rate = (elapsed - began) / max(1, standing.step - first)
        remaining = self.schedule.remaining_s(phase, standing.step, rate, elapsed)
        self.events.progress(phase, standing.step, self.schedule.steps[phase], remaining)
        upper = self.learner.upper_values() if phase == "joint" else {}
        self.events.metrics(phase, self.done, **losses, **upper)

    def _tell_of_haste(self) -> None:
        """Say where the time did not suffice for what makes a good model."""
        step, usual = self.standing.step, self.schedule.steps["final"]
        if step < _HASTE * usual:
            self.events.log(
                f"the time budget left room for {step} of {usual} final steps: more time, or a "
                "machine with less else to do, would give a better model",
                "warning",
            )

    def _elapsed(self) -> float:
        """Return the seconds of training so far, those before a resume included."""
        now = time.monotonic()
        self.standing.elapsed_s = distributed.agreed(self.standing.elapsed_s + now - self._since)
        self._since = now
        return self.standing.elapsed_s

    def _stop_if_asked(self) -> None:
        if not distributed.agreed(self.run_folder.stop_requested()):
            return
        self._require_sound()
        if self.lock is not None:
            self.run_folder.write_status(State.STOPPING, self.done)
            self.events.state(State.STOPPING)
            self._save()
            self.run_folder.clear_stop()
        raise StopRequested

    def _keep_alive(self) -> None:
        now = time.monotonic()
        if self.lock is not None and now - self._beaten > _HEARTBEAT_S:
            self.lock.require_held()
            self.run_folder.write_status(State.RUNNING, self.done)
            self._beaten = now
        if distributed.agreed(now - self._saved) > self.config.checkpoint_every_s:
            self._require_sound()
            self._save()

    def _require_sound(self) -> None:
        """Raise LossDiverged where weights are no numbers: the next loss would not be one."""
        if not self.learner.is_finite():
            raise LossDiverged("a weight")

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self.lock is None:
            return
        self.run_folder.require_present()
        self.lock.require_held()
        keep(self.run_folder.checkpoints, self.standing, self.learner, self.done)

    def _find_kept(self) -> Kept | None:
        kept = load_kept(self.run_folder.checkpoints, self.events.log)
        if kept is None:
            self.events.log("there is no checkpoint yet: the training starts anew")
        return kept

    def _restore(self, kept: Kept) -> None:
        """Go back to where a checkpoint was written."""
        self.standing = kept.standing
        kept.restore(self.learner)
        self.events.log(f"goes on from step {self.done} of {self.schedule.total}")
