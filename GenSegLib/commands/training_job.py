"""Runs the training of a run folder for the verbs that train."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ..cases import Role
from ..computing.torchrun import is_one_of_several
from ..errors import GenSegError
from ..events import EventLog
from ..runs import RunFolder, State
from .options import watch

_LABELED = (Role.TRAIN, Role.VALIDATE)
_LEFT_ASIDE = (
    "scans without a segmentation are there and left aside: {}; a training with "
    "--unlabeled mean-teacher learns from them, too"
)
_NO_VALIDATION = (
    "no case is held back, so the training goes without validation, and the generator without "
    "feedback; two segmented cases or more allow both"
)


def train_together(prepare: Callable[[], tuple[RunFolder, bool]], args: argparse.Namespace) -> None:
    """Train a run with all the processes that torchrun started, or alone where it did not.

    Args:
        prepare: gives the run, and whether to go on with it; the leading process alone calls it.
        args: the command line.
    """
    if not is_one_of_several():
        run, resume = prepare()
        run_training(run, args, resume=resume)
        return
    from ..computing.distributed import agreed, joined, leads

    with joined():
        asked = None
        try:
            asked = prepare() if leads() else None
        finally:
            told = agreed(asked and (asked[0].path, asked[1]))
        if asked is not None:
            run_training(asked[0], args, resume=asked[1])
        elif told is not None:
            _train_along(RunFolder.open(told[0]), resume=told[1])


def _train_along(run: RunFolder, *, resume: bool) -> None:
    """Compute a share of a training that another process leads; that one hears the signals."""
    from ..training.train import train

    if resume and _state(run) is State.FINISHED:
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    train(run, EventLog(None), resume=resume)


def run_training(run: RunFolder, args: argparse.Namespace, *, resume: bool) -> State:
    """Train until the run is finished or stopped, write its report, and tell where things are."""
    if resume and _state(run) is State.FINISHED:
        print(f"{run.path} is finished already; its model is in {run.model}")
        return State.FINISHED
    from ..training.scalars import tensorboard_sinks

    sinks = tensorboard_sinks(run.path / "tensorboard")
    with watch(args, run.events_file, sinks) as events, _faults_noted(run), _stop_on_signals(run):
        learned, held_back = (len(run.cases.of_role(role)) for role in _LABELED)
        events.log(f"getting ready; cases to learn from: {learned}, held back: {held_back}")
        if not held_back:
            events.log(_NO_VALIDATION, "warning")
        unused = len(run.cases.of_role(Role.UNLABELED))
        if unused and run.config.consistency == "none":
            events.log(_LEFT_ASIDE.format(unused))
        from ..training.train import train  # which takes some seconds

        train(run, events, resume=resume)
    state = _state(run)
    if state is State.STOPPED:
        print(f"Stopped; go on with: genseg resume {run.path}")
    else:
        from ..reports import write_report

        print(f"The model is in {run.model}")
        print(f"The report is {write_report(run)}")
    return state


def _state(run: RunFolder) -> State:
    return State(run.read_status()["state"])


@contextmanager
def _faults_noted(run: RunFolder) -> Iterator[None]:
    """Note in the run's events what ended it; `cli.main` tells the user.

    A run that another process trains is left alone: that one goes on.
    """
    try:
        yield
    except Exception as fault:
        with suppress(GenSegError):  # a drive that is away or full would hide what happened
            if not run.is_running():
                EventLog(run.events_file).error(str(fault) or repr(fault))
        raise


@contextmanager
def _stop_on_signals(run: RunFolder) -> Iterator[None]:
    """Let the first interruption stop the run between two steps, and the second one at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if run.stop_requested():
            signal.default_int_handler(number, frame)
        print("\nStopping after this step; interrupt again to abort.", file=sys.stderr)
        run.request_stop()

    numbers = (signal.SIGINT, signal.SIGTERM)
    former = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, former):
            signal.signal(number, handler)
