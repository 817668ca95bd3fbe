"""Training of a run folder, with its lock and its status."""

from __future__ import annotations

import time
from contextlib import suppress

from ..computing.cpu_settings import fast_steps
from ..computing.devices import choose_device
from ..errors import GenSegError
from ..events import EventLog
from ..files import drive_errors
from ..runs import RunFolder, State
from .trainer import StopRequested, Trainer


def train(
    run: RunFolder, events: EventLog, *, resume: bool = False, started: float | None = None
) -> None:
    """Train the model of a run folder, or resume its training.

    Args:
        run: run folder, which receives checkpoints, previews and the model.
        events: receives progress, metrics and messages.
        resume: continue from the last checkpoint, if there is one.
        started: value of `time.monotonic` at which the time budget started; now by default.

    Raises:
        GenSegError: data, device, disk or time budget do not allow the training.
    """
    started = time.monotonic() if started is None else started
    with drive_errors(run.path), run.lock(events.log) as lock:
        run.remove_temporary_files()
        run.write_status(State.RUNNING, 0)
        events.state(State.RUNNING)
        done = 0
        try:
            with fast_steps(choose_device(run.config.device)):
                trainer = Trainer(run, events, lock, resume=resume, started=started)
                try:
                    trainer.run()
                finally:
                    done = trainer.done
        except StopRequested:
            outcome = State.STOPPED
        except BaseException:
            with suppress(GenSegError):  # an unavailable drive would hide the cause
                run.write_status(State.FAILED, done)
                events.state(State.FAILED)
            raise
        else:
            outcome = State.FINISHED
        run.write_status(outcome, done)
        events.state(outcome)
