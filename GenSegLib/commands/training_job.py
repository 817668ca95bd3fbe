"""Runs the training of a run folder for the verbs that train."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..cases import Role
from ..runs import RunFolder, State
from .options import watch

_NO_VALIDATION = (
    "no case is held back for validation: the generator is not steered by it, and the model is "
    "not judged; give two segmented cases or more"
)


def run_training(run: RunFolder, args: argparse.Namespace, *, resume: bool) -> State:
    """Train until the run is finished or stopped, write its report, and tell where things are."""
    with watch(args, run.events_file) as events, _stop_on_signals(run):
        from ..training import train

        if not run.cases.of_role(Role.VALIDATE):
            events.log(_NO_VALIDATION, level="warning")
        train(run, events, resume=resume)
    state = State(run.read_status()["state"])
    if state is State.STOPPED:
        print(f"Stopped; go on with: genseg resume {run.path}")
    else:
        from ..reports import write_report

        print(f"The model is in {run.model}")
        print(f"The report is {write_report(run)}")
    return state


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
        for number, handler in zip(numbers, former, strict=True):
            signal.signal(number, handler)
