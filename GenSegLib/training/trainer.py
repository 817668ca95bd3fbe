"""The training loop: warm-up, joint and final phase.

The warm-up trains the generator alone. In the joint phase generator and segmenter train together,
and the segmenter's loss on validation cases steers the upper-level variables. In the final phase
the segmenter trains on all labeled cases, validation cases included, and on generated pairs.
"""

from __future__ import annotations

import time

import torch

from ..events import EventLog
from ..files import drive_errors
from ..run_lock import RunLock
from ..runs import RunFolder, State
from .builders import require_compatible_patch_size
from .checkpoints import Checkpoint, TrainingState, load_checkpoint, save_checkpoint
from .recovery import (
    Interruption,
    LossDiverged,
    as_interruption,
    prepare_recovery,
    require_finite,
)
from .rounds import Rounds
from .schedule import PHASES, Schedule
from .session import load_session
from .trained_model import write_model
from .tuning import SlowdownDetector, Tuner

_LOG_EVERY = 5
_HEARTBEAT_S = 5.0
_ENOUGH_FINAL_STEPS = 0.25  # fraction of those of the settings


class StopRequested(Exception):  # noqa: N818 - not an error
    """The user has requested a stop; the checkpoint is written."""


class Trainer:
    """Runs one training; see :func:`train`.

    Args:
        run: run folder.
        events: receives progress, metrics and messages.
        lock: of the run folder.
        resume: continue from the last checkpoint, if there is one.
    """

    def __init__(
        self, run: RunFolder, events: EventLog, lock: RunLock, *, resume: bool = False
    ) -> None:
        self.run_folder, self.events, self.lock, self.config = run, events, lock, run.config
        require_compatible_patch_size(self.config.segmenter, run.preset)
        self.tuner, self.slowdown = Tuner(run, events.log), SlowdownDetector()
        self.rounds = Rounds(run, events)
        self.schedule = Schedule.of(self.config)
        checkpoint = self._load_checkpoint() if resume else None
        self.state = checkpoint.state if checkpoint else TrainingState()
        self._set_up_threads()
        self.session = load_session(run, events)
        self.learner = self.session.learner
        if checkpoint:
            self._restore(checkpoint)
        self._apply_state()
        self._clock = self._saved = self._last_heartbeat = time.monotonic()
        self._phase_start = 0, 0.0

    @property
    def done(self) -> int:
        """Steps of all phases so far."""
        return self.schedule.steps_before(self.state.phase) + self.state.step

    def run(self) -> None:
        """Run all remaining phases, with recovery from interruptions, and write the model."""
        while (interruption := self._run_until_interrupted()) is not None:
            self._recover(interruption)
        self._save()
        self._warn_if_cut_short()
        names, dice = self.session.names, self.state.last_dice
        write_model(self.run_folder, self.learner, names, dice)

    def _run_until_interrupted(self) -> Interruption | None:
        try:
            with drive_errors(self.run_folder.path):
                for phase in PHASES[PHASES.index(self.state.phase) :]:
                    if phase != self.state.phase:
                        self.state.phase, self.state.step = phase, 0
                    self._run_phase(phase)
                self._require_finite_weights()
        except Exception as error:
            interruption = as_interruption(error)
            if interruption is None:
                raise
            return interruption
        return None

    def _run_phase(self, phase: str) -> None:
        state, schedule = self.state, self.schedule
        self._phase_start = state.step, self._elapsed()
        while not schedule.is_over(phase, state.step, self._elapsed()):
            self._stop_if_requested()
            start = time.monotonic()
            losses = self._step(phase, state.step)
            require_finite(losses)
            state.step += 1
            if self.slowdown.should_retune(time.monotonic() - start, schedule.costs[phase]):
                self._retune()
            self._log_step(phase, losses)
            if state.step % self.config.validation_interval == 0 and self._end_round(phase):
                break
            self._save_regularly()
        if phase == "joint" and state.step % self.config.validation_interval:
            self._end_round(phase)

    def _step(self, phase: str, step: int) -> dict[str, float]:
        if phase == "warm-up":
            return self.learner.warmup_step()
        elapsed = self._elapsed()
        self.learner.set_segmenter_lr(self.schedule.lr_fraction(phase, step, elapsed))
        self.learner.progress = self.schedule.progress(phase, step, elapsed)
        if phase == "final":
            return self.learner.final_step()
        return self.learner.joint_step(step)

    def _end_round(self, phase: str) -> bool:
        """Read feedback, validate, write previews; return whether the phase ends early."""
        self.rounds.read_feedback(self.learner)
        if self.tuner.can_use_more_threads:
            self._retune()
        if phase != "joint":
            return False
        self.rounds.validate(self.session, self.state, self.done)
        is_stalled = 0 < self.config.patience <= self.state.rounds_without_improvement
        if is_stalled:
            self.events.log("validation Dice no longer improves: the joint phase ends early")
        return is_stalled

    def _log_step(self, phase: str, losses: dict[str, float]) -> None:
        step, steps = self.state.step, self.schedule.steps[phase]
        if step % _LOG_EVERY and step != steps:
            return
        elapsed = self._elapsed()
        first, start = self._phase_start
        seconds_per_step = (elapsed - start) / max(1, step - first)
        remaining_s = self.schedule.remaining_s(phase, step, seconds_per_step, elapsed)
        self.events.progress(phase, step, steps, remaining_s)
        upper = self.learner.upper_values() if phase == "joint" else {}
        self.events.metrics(phase, self.done, **losses, **upper)

    def _warn_if_cut_short(self) -> None:
        step, steps = self.state.step, self.schedule.steps["final"]
        if step < _ENOUGH_FINAL_STEPS * steps:
            self.events.log(
                f"the time budget allowed only {step} of {steps} final steps; a longer budget or a "
                "faster machine would give a better model",
                "warning",
            )

    def _elapsed(self) -> float:
        """Update and return the seconds of training, including those before a resume."""
        now = time.monotonic()
        self.state.elapsed_s += now - self._clock
        self._clock = now
        return self.state.elapsed_s

    def _set_up_threads(self) -> None:
        """Choose threads and memory format, or use those of the checkpoint.

        This precedes the preparation of cases, which is much slower on too many threads.
        """
        if self.state.threads:
            torch.set_num_threads(min(self.state.threads, torch.get_num_threads()))
        else:
            self.state.memory_format = self.tuner.tune()
            self.state.threads = torch.get_num_threads()

    def _retune(self) -> None:
        """Choose the threads again, since other programs may have started or ended."""
        self.tuner.retune(self.state.memory_format)
        self.state.threads = torch.get_num_threads()

    def _recover(self, interruption: Interruption) -> None:
        """Return to the last checkpoint, or the start, and adapt to the interruption."""
        before, batch_size = self.state, self.learner.problem.micro_batches.largest
        message = prepare_recovery(interruption, before, self.done, batch_size, self.run_folder)
        self.events.log(message, "warning")
        checkpoint = self._load_checkpoint()
        if checkpoint:
            self._restore(checkpoint)
        else:
            del self.session, self.learner  # memory may not suffice for two
            self.session = load_session(self.run_folder, self.events)
            self.learner, self.state = self.session.learner, TrainingState()
        self.state.keep_execution(before)
        self._apply_state()
        self._save()

    def _apply_state(self) -> None:
        self.learner.set_memory_format(self.state.memory_format)
        self.learner.set_lr_factor(0.5**self.state.lr_halvings)
        self.learner.problem.micro_batches.size = self.state.micro_batch_size

    def _load_checkpoint(self) -> Checkpoint | None:
        checkpoint = load_checkpoint(self.run_folder.checkpoints, self.events.log)
        if checkpoint is None:
            self.events.log("no checkpoint yet: training starts from scratch")
        return checkpoint

    def _restore(self, checkpoint: Checkpoint) -> None:
        self.state = checkpoint.state
        checkpoint.restore(self.learner)
        self.events.log(f"resuming at step {self.done} of {self.schedule.total}")

    def _stop_if_requested(self) -> None:
        if not self.run_folder.stop_requested():
            return
        self._require_finite_weights()
        self.run_folder.write_status(State.STOPPING, self.done)
        self.events.state(State.STOPPING)
        self._save()
        self.run_folder.clear_stop()
        raise StopRequested

    def _save_regularly(self) -> None:
        """Update the run's status and write a checkpoint when they are due."""
        now = time.monotonic()
        if now - self._last_heartbeat > _HEARTBEAT_S:
            self.lock.require_held()
            self.run_folder.write_status(State.RUNNING, self.done)
            self._last_heartbeat = now
        if now - self._saved > self.config.checkpoint_interval_s:
            self._require_finite_weights()
            self._save()

    def _require_finite_weights(self) -> None:
        if not self.learner.is_finite():
            raise LossDiverged("a weight")

    def _save(self) -> None:
        self._saved = time.monotonic()
        self.run_folder.require_present()
        self.lock.require_held()
        save_checkpoint(self.run_folder.checkpoints, self.state, self.learner, self.done)
