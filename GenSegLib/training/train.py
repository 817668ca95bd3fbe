"""One training of a run folder: alone in it, its state written down from queued to finished.

Where several processes train together (see `distributed`) all of them take the same steps. One
leads: it writes, and its clock and its view of the run folder decide for all.
"""

from __future__ import annotations

from contextlib import suppress

from ..computing import distributed
from ..computing.devices import deterministic
from ..errors import GenSegError
from ..events import EventLog
from ..files import reachable
from ..runs import RunFolder, State
from .phases import StopRequested, Training


def train(run: RunFolder, events: EventLog, *, resume: bool = False) -> None:
    """Train the model that a run folder asks for, or go on with it.

    Args:
        run: the run folder; checkpoints, previews and the model are written into it.
        events: told of everything that happens.
        resume: go on from the last checkpoint, where there is one.

    Raises:
        GenSegError: the data, the device or the disk does not allow it.
    """
    if not distributed.leads():
        _train_along(run, resume)
        return
    told, exactly = reachable(run.path), deterministic(run.config.deterministic)
    with told, run.lock(events.log) as lock, exactly:
        run.remove_leftovers()
        if resume:
            run.clear_stop()
        run.write_status(State.RUNNING, 0)
        events.state(State.RUNNING)
        if distributed.count() > 1:
            events.log(f"{distributed.count()} processes share each batch")
        done = 0
        try:
            training = Training(run, events, lock, resume=resume)
            try:
                training.run()
            finally:
                done = training.done
        except StopRequested:
            ending = State.STOPPED
        except BaseException:
            with suppress(GenSegError):  # a drive that is away would hide what happened
                run.write_status(State.FAILED, done)
                events.state(State.FAILED)
            raise
        else:
            ending = State.FINISHED
        run.write_status(ending, done)
        events.state(ending)


def _train_along(run: RunFolder, resume: bool) -> None:
    """Compute a share of every batch, and write nothing."""
    with deterministic(run.config.deterministic), suppress(StopRequested):
        Training(run, EventLog(None), None, resume=resume).run()
