"""Run the training of a run folder, for the commands that train."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from ..cases import Role
from ..errors import GenSegError, as_user_error
from ..events import EventLog
from ..generation_summary import describe_generation
from ..runs import RunFolder, State
from .options import open_event_log

_UNLABELED_UNUSED = (
    "{} unlabeled cases are not used; turn on self-training to train on them, or choose a target "
    "scanner to imitate their contrasts"
)
_NO_HARD_PAIRS = (
    "hard_pair_weight has no effect here: hard pairs are made by the generators searchable and "
    "mask-only with adversarial_pairs=generated, unlike in the recipe paper"
)
_NO_VALIDATION = (
    "there are no validation cases, so the model is not validated and the generator gets no "
    "feedback; at least two labeled cases are needed"
)


def run_training(run: RunFolder, args: argparse.Namespace, *, resume: bool) -> State:
    """Train until the run is finished or stopped, write its report, and print the outputs."""
    if resume and _state(run) is State.FINISHED:
        print(f"{run.path} is already finished; the model is in {run.model}")
        return State.FINISHED
    if resume and not run.is_running():
        run.clear_stop()  # of an earlier training; a request during the imports below counts
    log = open_event_log(args, run.events_file)
    with log as events, _errors_logged(run), _stop_on_signals(run):
        _log_cases(run, events)
        _log_plan(run, events)
        from ..training.train import train  # takes seconds to import

        train(run, events, resume=resume, started=args.started)
    state = _state(run)
    if state is State.STOPPED:
        print(f"Stopped; continue with: genseg resume {run.path}")
    else:
        from ..reports import write_report

        print(f"Model: {run.model}")
        print(f"Report: {write_report(run)}")
    return state


def _log_cases(run: RunFolder, events: EventLog) -> None:
    training, validation, unlabeled = (
        len(run.cases.of_role(role)) for role in (Role.TRAIN, Role.VALIDATE, Role.UNLABELED)
    )
    events.log(f"preparing cases: {training} for training, {validation} for validation")
    if not validation:
        events.log(_NO_VALIDATION, "warning")
    if run.config.hard_pair_weight > 0 and not run.config.discriminates_generated:
        events.log(_NO_HARD_PAIRS, "warning")
    if unlabeled and not run.config.uses_unlabeled:
        events.log(_UNLABELED_UNUSED.format(unlabeled))
    labeled = training + validation
    events.log(describe_generation(run.config, unlabeled, labeled=labeled))


def _log_plan(run: RunFolder, events: EventLog) -> None:
    plan = run.plan
    if plan is not None:
        events.log(plan["summary"])
        for note in plan["notes"]:
            events.log(note, "warning")


def _state(run: RunFolder) -> State:
    return State(run.read_status()["state"])


@contextmanager
def _errors_logged(run: RunFolder) -> Iterator[None]:
    """Log what ended the run to its events; `cli.main` reports it to the user.

    Nothing is logged to a run that another process is training.
    """
    try:
        yield
    except Exception as error:
        with suppress(GenSegError):  # a drive that is full or unavailable must not mask the error
            if not run.is_running():
                known = as_user_error(error) or error
                EventLog(run.events_file).error(str(known) or repr(known))
        raise


@contextmanager
def _stop_on_signals(run: RunFolder) -> Iterator[None]:
    """Stop the run after its step on the first interrupt, and at once on the second."""

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
