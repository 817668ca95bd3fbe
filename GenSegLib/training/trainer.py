"""The training loop: warm-up, joint and final phase.

The warm-up trains the generator alone. In the joint phase generator and segmenter train together,
and the segmenter's loss on validation cases steers the upper-level variables. In the final phase
the segmenter trains on all labeled cases, validation cases included, and on generated pairs.
"""

from __future__ import annotations

import time
from dataclasses import replace

import torch

from ..errors import GenSegError
from ..events import EventLog
from ..files import drive_errors
from ..models.initial_model import CONTINUE, WarmStart
from ..models.training_record import is_useless
from ..run_lock import RunLock
from ..runs import RunFolder, State
from .appearance_search import FIRST_STEP, NOT_STEERED
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
from .session import Session, load_session
from .trained_model import training_record, training_warnings, write_model
from .tuning import SlowdownDetector, Tuner
from .warm_start import start_from_model

_LOG_EVERY = 5
_HEARTBEAT_S = 5.0


class StopRequested(Exception):  # noqa: N818 - not an error
    """The user has requested a stop; the checkpoint is written."""


class Trainer:
    """Runs one training; see :func:`train`.

    Args:
        run: run folder.
        events: receives progress, metrics and messages.
        lock: of the run folder.
        resume: continue from the last checkpoint, if there is one.
        started: value of `time.monotonic` at which the time budget started.
    """

    def __init__(
        self, run: RunFolder, events: EventLog, lock: RunLock, *, resume: bool, started: float
    ) -> None:
        self.run_folder, self.events, self.lock, self.config = run, events, lock, run.config
        require_compatible_patch_size(self.config.network, run.preset)
        self._clock = started
        self.tuner, self.slowdown = Tuner(run, events.log), SlowdownDetector()
        self.rounds = Rounds(run, events)
        checkpoint = self._load_checkpoint() if resume else None
        self.state = checkpoint.state if checkpoint else TrainingState()
        self._set_up_threads()
        self.schedule = Schedule.of(self.config)
        self.session = self._load_session(is_new=checkpoint is None)
        self.config = run.config  # a warm start may have changed it
        self.schedule = Schedule.of(self.config)
        self.learner = self.session.learner
        if checkpoint:
            self._restore(checkpoint)
        self._apply_state()
        self._set_up_schedule()
        self._saved = self._last_heartbeat = time.monotonic()
        self._phase_start = 0, 0.0

    def _load_session(self, *, is_new: bool) -> Session:
        """Load the cases and build the networks, with the weights of the model to start from."""
        before = self._elapsed()

        def require_time(cases: int, total: int) -> None:
            all_s = before + (self._elapsed() - before) * total / cases
            self._require_time(f" of {cases} of {total} cases (all: about {all_s:.0f} s)")

        session = load_session(self.run_folder, self.events, require_time)
        if is_new:
            start_from_model(self.run_folder, session, self.events, self._elapsed())
        return session

    @property
    def done(self) -> int:
        """Steps of all phases so far."""
        earlier = PHASES[: PHASES.index(self.state.phase)]
        missing = sum(self.state.missing_steps.get(phase, 0) for phase in earlier)
        return self.schedule.steps_before(self.state.phase) - missing + self.state.step

    def run(self) -> None:
        """Run all remaining phases, with recovery from interruptions, and write the model."""
        while (interruption := self._run_until_interrupted()) is not None:
            self._recover(interruption)
        self._save()
        if is_useless(self.state.last_dice) and self.state.step:
            self.rounds.measure_fit(self.session, self.state)
        record = training_record(self.schedule, self.state, self._expected_steps())
        for warning in training_warnings(record, self.state, self.learner.training_count):
            self.events.log(warning, "warning")
        self.rounds.report_unlabeled(self.learner)
        names, dice = self.session.names, self.state.last_dice
        write_model(self.run_folder, self.learner, names, dice, record)

    def _expected_steps(self) -> int:
        """Return the steps that were expected to fit into the time; 0 if only steps limit it."""
        plan = self.run_folder.plan  # has them in runs that an earlier version planned
        return self.config.expected_steps or (plan["steps"] if plan else 0)

    def _run_until_interrupted(self) -> Interruption | None:
        try:
            with drive_errors(self.run_folder.path):
                for phase in PHASES[PHASES.index(self.state.phase) :]:
                    if phase != self.state.phase:
                        self.state.phase, self.state.step = phase, 0
                    self._run_phase(phase)
                    if phase == "joint":
                        self._end_search()
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
        losses: dict[str, float] = {}
        while not schedule.is_over(phase, state.step, self._elapsed()):
            self._stop_if_requested()
            start = time.monotonic()
            losses = self._step(phase, state.step)
            require_finite(losses)
            state.step += 1
            if self.learner.is_labeling_due():
                self.rounds.label_unlabeled(self.session, self._expected_s())
            is_slow = self.slowdown.should_retune(time.monotonic() - start, schedule.costs[phase])
            if is_slow or self.tuner.is_retry_due:
                self._retune()
            if self._is_logged(phase):
                self._log_step(phase, losses)
            if state.step % self.config.validation_interval == 0:
                self._end_round(phase)
            self._save_regularly()
        # all steps are done, or the time is over
        if losses and not self._is_logged(phase):
            self._log_step(phase, losses)
        if phase == "joint" and (state.step or self._continues_model()):
            self._validate()
        state.missing_steps[phase] = schedule.steps[phase] - state.step

    def _step(self, phase: str, step: int) -> dict[str, float]:
        if phase == "warm-up":
            return self.learner.warmup_step()
        elapsed = self._elapsed()
        self.learner.set_segmenter_lr(self.schedule.lr_fraction(phase, step, elapsed))
        self.learner.progress = self.schedule.progress(phase, step, elapsed)
        if phase == "final":
            return self.learner.final_step()
        if step == FIRST_STEP and self.learner.search is not None:
            self.learner.search.begin(self._remaining_joint_steps(step, elapsed))
        return self.learner.joint_step(step)

    def _remaining_joint_steps(self, step: int, elapsed: float) -> float:
        """Estimate how many joint steps there are, and time for, at the pace so far."""
        first, start = self._phase_start
        pace = (elapsed - start) / max(1, step - first)
        by_time = (self.schedule.phase_end_s("joint") - elapsed) / max(1e-9, pace)
        return min(self.schedule.steps["joint"] - step, by_time)

    def _end_search(self) -> None:
        """End the search over distributions of region appearance, if there is one."""
        if self.config.generator != "regions" or self.config.search_horizon == 0:
            return
        search = self.learner.search
        if search is not None:
            search.end(self.learner)
        self.events.log(search.summary() if search else NOT_STEERED)

    def _end_round(self, phase: str) -> None:
        """Read feedback, and validate if there is time."""
        self.rounds.read_feedback(self.learner)
        is_last = self.state.step == self.schedule.steps[phase]
        if phase == "joint" and not is_last and self.rounds.can_validate(self._elapsed()):
            self._validate()

    def _continues_model(self) -> bool:
        """Return whether the segmenter knew the task before the first step."""
        start = WarmStart.load(self.run_folder.path)
        return start is not None and start.outcome == CONTINUE

    def _validate(self) -> None:
        self.rounds.validate(self.session, self.state, self.done, self._expected_s())

    def _expected_s(self) -> float:
        """Return the expected seconds of the whole training."""
        elapsed = self._elapsed()
        fraction = self.schedule.fraction(self.state.phase, self.state.step, elapsed)
        return elapsed / max(1e-9, fraction)

    def _is_logged(self, phase: str) -> bool:
        """Return whether the current step is logged wherever the time ends."""
        return self.state.step % _LOG_EVERY == 0 or self.state.step == self.schedule.steps[phase]

    def _log_step(self, phase: str, losses: dict[str, float]) -> None:
        step, steps = self.state.step, self.schedule.steps[phase]
        elapsed = self._elapsed()
        first, start = self._phase_start
        seconds_per_step = (elapsed - start) / max(1, step - first)
        remaining_s = self.schedule.remaining_s(phase, step, seconds_per_step, elapsed)
        fraction = self.schedule.fraction(phase, step, elapsed)
        self.events.progress(phase, step, steps, remaining_s, fraction)
        upper = self.learner.upper_values() if phase == "joint" else {}
        self.events.metrics(phase, self.done, **losses, **upper)

    def _set_up_schedule(self) -> None:
        """Share the time that preparation has left among the phases."""
        self._require_time()
        if self.state.preparation_s is None:
            self.state.preparation_s = self._elapsed()
        self.schedule = replace(self.schedule, preparation_s=self.state.preparation_s)

    def _require_time(self, cases: str = "") -> None:
        """Raise GenSegError if the preparation, so far or of some cases, has left no time."""
        elapsed = self._elapsed()
        if self.state.preparation_s is None and elapsed >= self.schedule.deadline_s:
            raise GenSegError(
                f"the preparation{cases} took {elapsed:.0f} s, the whole time budget of "
                f"{self.config.time_budget_s:.0f} s; set a longer one"
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
            self.session = self._load_session(is_new=True)
            self.learner, self.state = self.session.learner, TrainingState()
        self.state.copy_execution(before)
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
