"""Progress bar and remaining time agree, and the bar never decreases."""

from __future__ import annotations

import pytest
from GenSegSlicerLib.TrainingProgress import TrainingProgress


def progress(time: float, step: int, remaining: float | None) -> dict:
    event = {"kind": "progress", "phase": "joint", "step": step, "total": 10}
    return {**event, "time": time, "remaining_s": remaining}


def state(time: float, name: str) -> dict:
    return {"kind": "state", "time": time, "state": name}


def process(*events: dict) -> TrainingProgress:
    tracker = TrainingProgress()
    for event in events:
        tracker.update(event)
    return tracker


def test_the_fraction_is_that_of_the_time() -> None:
    tracker = process(state(100, "running"), progress(130, 5, 30.0))
    assert tracker.fraction == pytest.approx(0.5)
    assert (tracker.phase, tracker.remainingS) == ("joint", 30.0)


def test_the_fraction_stays_when_the_remaining_time_increases() -> None:
    tracker = process(state(0, "running"), progress(50, 5, 50.0), progress(60, 6, 540.0))
    assert tracker.fraction == pytest.approx(0.5)


def test_the_bar_is_not_full_before_the_model_is_saved() -> None:
    assert process(state(0, "running"), progress(50, 10, 0.0)).fraction < 1


def test_time_between_stop_and_resume_is_not_counted() -> None:
    before = (state(0, "running"), progress(20, 2, 80.0), state(20, "stopped"))
    tracker = process(*before, state(9000, "running"), progress(9010, 3, 30.0))
    assert tracker.fraction == pytest.approx(0.5)


def test_a_restarted_training_clears_time_and_phase() -> None:
    tracker = process(state(0, "running"), progress(20, 2, 80.0), state(9000, "running"))
    assert (tracker.phase, tracker.remainingS, tracker.fraction) == ("", None, 0)


def test_a_resumed_training_clears_the_last_error() -> None:
    error = {"kind": "error", "time": 5, "text": "the disk is full"}
    assert process(error).error == "the disk is full"
    assert process(error, state(9, "running")).error == ""


def test_the_last_dice_is_kept() -> None:
    metrics = {"kind": "metrics", "phase": "joint", "step": 4, "time": 1}
    tracker = process({**metrics, "validation_dice": 0.7}, {**metrics, "validation_dice": None})
    assert tracker.lastDice == 0.7


@pytest.mark.parametrize("entry", [{"time": None}, {"time": "soon"}, {"remaining_s": "long"}])
def test_invalid_entries_of_an_event_are_ignored(entry: dict) -> None:
    assert process(state(0, "running"), {**progress(1, 1, None), **entry}).fraction == 0


def test_the_fraction_of_the_training_is_shown_if_the_event_has_it() -> None:
    event = {"kind": "progress", "phase": "joint", "step": 1, "total": 100, "time": 5.0}
    tracker = process({**event, "remaining_s": 500.0, "fraction": 0.6})
    assert tracker.fraction == 0.6
