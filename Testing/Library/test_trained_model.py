"""What a model's card says about its training, and the warnings at its end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from GenSegLib.config import TrainConfig
from GenSegLib.models.training_record import TrainingRecord
from GenSegLib.training.checkpoints import TrainingState
from GenSegLib.training.schedule import Schedule
from GenSegLib.training.trained_model import training_record, training_warnings

SCHEDULE = Schedule.of(TrainConfig(joint_steps=1000, final_steps=2000))
COMPLETE = TrainingState(phase="final", step=2000, last_dice=0.8, elapsed_s=1200.04)
CUT_SHORT = replace(COMPLETE, step=500, missing_steps={"joint": 0, "final": 1500})


def test_a_record_counts_the_steps_of_the_segmenter() -> None:
    record = training_record(SCHEDULE, CUT_SHORT)
    assert (record.steps, record.planned_steps, record.seconds) == (1500, 3000, 1200.0)
    assert record.is_cut_short and not training_record(SCHEDULE, COMPLETE).is_cut_short


def test_a_training_that_does_what_its_plan_expected_is_not_cut_short() -> None:
    assert not training_record(SCHEDULE, CUT_SHORT, 1700).is_cut_short


def test_the_card_says_when_the_dice_was_measured_and_that_training_was_cut_short() -> None:
    notes = list(training_record(SCHEDULE, CUT_SHORT).notes(0.8))
    assert notes == [
        "The training was cut short: it had time for 1500 of 3000 steps.",
        "The validation Dice dates from before the final phase, in which the model also learned "
        "from the validation cases.",
    ]
    assert list(TrainingRecord(steps=3000, planned_steps=3000).notes(None)) == []
    assert list(TrainingRecord().notes(0.9)) == [], "of a model of an earlier version"


def test_the_card_says_that_a_model_has_learned_nothing() -> None:
    assert list(TrainingRecord(steps=9, planned_steps=9).notes(0.07)) == [
        "The model is not usable: its validation Dice is 0.07."
    ]


def test_the_card_says_that_the_dice_was_measured_too_early() -> None:
    record = TrainingRecord(steps=9, planned_steps=9, steps_after_validation=8, fit_dice=0.6)
    notes = list(record.notes(0.07))
    assert not any("not usable" in note for note in notes)
    assert "measured too early" in notes[-1] and "0.60" in notes[-1]


@pytest.mark.parametrize(
    ("state", "cases", "expected"),
    [
        (COMPLETE, 10, []),
        (replace(COMPLETE, last_dice=None), 1, []),
        (CUT_SHORT, 10, ["the time budget allowed only 1500 of 3000 steps"]),
        (replace(CUT_SHORT, last_dice=0.1), 10, ["train with a longer time budget"]),
        (replace(COMPLETE, last_dice=0.1), 2, ["label more cases, since it learned from 2 only"]),
        (replace(COMPLETE, last_dice=0.0, is_empty=True), 10, ["all its predictions are empty"]),
        (replace(COMPLETE, last_dice=0.1), 10, ["check that the labels lie on the structures"]),
        (replace(COMPLETE, last_dice=0.1, fit_dice=0.1), 10, ["check that the labels"]),
        (replace(COMPLETE, last_dice=0.1, fit_dice=0.7), 10, []),
    ],
)
def test_a_useless_model_is_announced_with_the_remedy_that_fits(
    state: TrainingState, cases: int, expected: list[str]
) -> None:
    warnings = list(training_warnings(training_record(SCHEDULE, state), state, cases))
    assert len(warnings) == len(expected)
    assert all(part in text for part, text in zip(expected, warnings))
