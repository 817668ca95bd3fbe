"""Trainings of benchmarks go on where they were stopped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from resumable import finish_training

from GenSegLib.events import EventLog
from GenSegLib.runs import RunFolder
from GenSegLib.training.train import train
from Testing.Faults.tiny_training import few_channels, stopped, tiny_cases, tiny_run


@pytest.fixture
def halved(tmp_path: Path) -> RunFolder:
    """A training that was stopped after some steps."""
    return stopped(tiny_run(tmp_path / "run", tiny_cases(tmp_path / "cases")), at=5)


def test_one_that_is_stopped_once_more_is_no_result(halved: RunFolder) -> None:
    def stop_at_once(command: Sequence[object]) -> tuple[float, float]:
        return 0.0, 0.0

    for _ in range(2):
        with pytest.raises(SystemExit, match="was stopped; call this again to go on"):
            finish_training(halved.path, [], stop_at_once)
        # as an earlier training of this name would have left it
        halved.path.with_name(halved.path.name + "-memory.txt").write_text("1.5", encoding="utf-8")


def test_one_that_is_finished_is_not_trained_again(halved: RunFolder) -> None:
    commands = []

    def go_on(command: Sequence[object]) -> tuple[float, float]:
        commands.append(command)
        with few_channels():
            train(halved, EventLog(halved.events_file), resume=True)
        return 0.0, 1.5

    costs = [finish_training(halved.path, [], go_on) for _ in range(2)]
    assert commands == [["train", halved.path, "--resume"]]
    assert costs[0] == costs[1]
    assert costs[0][1] == 1.5
