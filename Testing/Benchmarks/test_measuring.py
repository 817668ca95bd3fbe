"""Training runs of the benchmarks resume, and finished ones are not repeated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from measuring import finish_training, training_seconds

from GenSegLib.events import EventLog
from GenSegLib.runs import RunFolder
from GenSegLib.training.train import train
from Testing.Faults.tiny_training import few_channels, stopped, tiny_cases, tiny_run


@pytest.fixture
def interrupted(tmp_path: Path) -> RunFolder:
    """A training that was stopped after some steps."""
    return stopped(tiny_run(tmp_path / "run", tiny_cases(tmp_path / "cases")), at=5)


def test_a_training_that_is_stopped_again_is_no_result(interrupted: RunFolder) -> None:
    with pytest.raises(SystemExit, match="was stopped; run this again to resume it"):
        finish_training(interrupted.path, [], lambda command: (0.0, 0.0))


def test_a_finished_training_is_not_repeated(interrupted: RunFolder) -> None:
    commands = []

    def resume(command: Sequence[object]) -> tuple[float, float]:
        commands.append(command)
        with few_channels():
            train(interrupted, EventLog(interrupted.events_file), resume=True)
        return 0.0, 1.5

    costs = [finish_training(interrupted.path, [], resume) for _ in range(2)]
    assert commands == [["resume", interrupted.path]]
    assert costs[0] == costs[1]
    assert costs[0][1] == 1.5


def test_the_time_between_interruptions_does_not_count() -> None:
    times = [(0, "running"), (7, None), (100, "running"), (105, "finished")]
    events = [{"time": time, **({"state": state} if state else {})} for time, state in times]
    assert training_seconds(events) == 12
