"""Trainings of hours: what is finished is not done again, what was stopped goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from measuring import timed_training

from GenSegLib.events import read_events
from GenSegLib.runs import RunFolder, State


def finish_training(
    run: Path,
    command: Sequence[object],
    train: Callable[[Sequence[object]], tuple[float, float]] = timed_training,
) -> tuple[float, float]:
    """Train, or go on with a training; return its seconds in all and its peak memory in GB.

    The memory is that of the last call that trained, and is kept for the next one.

    Args:
        run: the run folder that `command` names.
        command: arguments of `genseg` that begin the training.
        train: runs `genseg`, and gives seconds and peak memory.

    Raises:
        SystemExit: somebody stopped the training, which is no fault.
    """
    measured = run.with_name(run.name + "-memory.txt")
    begun = RunFolder.is_run(run) and RunFolder.open(run).has_begun()
    if not (begun and is_finished(run) and measured.is_file()):
        if not begun:
            shutil.rmtree(run, ignore_errors=True)
        _, memory_gb = train(["train", run, "--resume"] if begun else command)
        if not is_finished(run):
            raise SystemExit(f"{run}: the training was stopped; call this again to go on")
        measured.write_text(f"{memory_gb}", encoding="utf-8")
    memory_gb = float(measured.read_text(encoding="utf-8"))
    return trained_seconds(read_events(run / "events.jsonl")), memory_gb


def is_finished(run: Path) -> bool:
    """Tell whether a training has come to its model."""
    return RunFolder.open(run).read_status()["state"] == State.FINISHED.value


def trained_seconds(events: Iterable[Mapping[str, Any]]) -> float:
    """Return how long a training ran, without the time between its interruptions."""
    total, began, last = 0.0, None, 0.0
    for event in events:
        if event.get("state") == "running":
            total += 0.0 if began is None else last - began
            began = event["time"]
        last = event["time"]
    return total if began is None else total + last - began
