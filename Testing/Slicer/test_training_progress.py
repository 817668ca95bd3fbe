"""Progress that can be believed: bar and remaining time agree, and the bar never goes back."""

from __future__ import annotations

import pytest
from GenSegSlicerLib.TrainingProgress import TrainingProgress


def progress(time: float, step: int, remaining: float | None) -> dict:
    event = {"kind": "progress", "phase": "joint", "step": step, "total": 10}
    return {**event, "time": time, "remaining_s": remaining}


def state(time: float, name: str) -> dict:
    return {"kind": "state", "time": time, "state": name}


def follow(*events: dict) -> TrainingProgress:
    followed = TrainingProgress()
    for event in events:
        followed.take(event)
    return followed


def test_half_of_the_bar_is_half_of_the_time() -> None:
    followed = follow(state(100, "running"), progress(130, 5, 30.0))
    assert followed.share == pytest.approx(0.5)
    assert (followed.phase, followed.remainingS) == ("joint", 30.0)


def test_the_bar_waits_where_more_remains_than_was_thought() -> None:
    followed = follow(state(0, "running"), progress(50, 5, 50.0), progress(60, 6, 540.0))
    assert followed.share == pytest.approx(0.5)


def test_the_bar_is_full_only_when_the_model_is_there() -> None:
    assert follow(state(0, "running"), progress(50, 10, 0.0)).share < 1


def test_time_between_stop_and_resume_does_not_count() -> None:
    before = (state(0, "running"), progress(20, 2, 80.0), state(20, "stopped"))
    followed = follow(*before, state(9000, "running"), progress(9010, 3, 30.0))
    assert followed.share == pytest.approx(0.5)


def test_a_training_that_begins_anew_tells_no_old_time_or_phase() -> None:
    followed = follow(state(0, "running"), progress(20, 2, 80.0), state(9000, "running"))
    assert (followed.phase, followed.remainingS, followed.share) == ("", None, 0)


def test_a_resumed_training_forgets_the_fault_that_ended_it() -> None:
    fault = {"kind": "error", "time": 5, "text": "the disk is full"}
    assert follow(fault).error == "the disk is full"
    assert follow(fault, state(9, "running")).error == ""


def test_the_last_dice_is_kept() -> None:
    metrics = {"kind": "metrics", "phase": "joint", "step": 4, "time": 1}
    followed = follow({**metrics, "validation_dice": 0.7}, {**metrics, "validation_dice": None})
    assert followed.lastDice == 0.7


@pytest.mark.parametrize("entry", [{"time": None}, {"time": "soon"}, {"remaining_s": "long"}])
def test_odd_entries_of_an_event_do_no_harm(entry: dict) -> None:
    assert follow(state(0, "running"), {**progress(1, 1, None), **entry}).share == 0
