"""Scores on a volume that the model has learned from are marked."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from GenSegSlicerLib.LearnedCases import learnedWarning
from GenSegSlicerLib.RunHistory import RunHistory
from GenSegSlicerLib.SegmentNodes import MODEL_ATTRIBUTE
from GenSegSlicerLib.TrainingMonitor import diceText
from mrml_nodes import GRIDS, add_segmentation, add_volume, noise
from small_trainings import small_run

from GenSegLib.runs import RunFolder

pytestmark = pytest.mark.usefixtures("fresh_settings")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A known run of one training and one validation case."""
    made = small_run(tmp_path)
    RunHistory().addRun(made.path)
    return made


def segmentation_of(volume: Any, model: str = "") -> Any:
    node = add_segmentation([])
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    if model:
        node.SetAttribute(MODEL_ATTRIBUTE, model)
    return node


def test_training_and_validation_cases_are_recognized(scene: Any, run: RunFolder) -> None:
    for case in run.cases.cases:
        volume = add_volume(noise(), GRIDS["RAS"], case.name)
        nodes = segmentation_of(volume, run.path.name), segmentation_of(volume)
        assert f"was trained on {case.name}" in learnedWarning(*nodes)


def test_other_volumes_and_models_are_not(scene: Any, run: RunFolder) -> None:
    new = add_volume(noise(), GRIDS["RAS"], "new patient")
    assert learnedWarning(segmentation_of(new, run.path.name), segmentation_of(new)) == ""
    known = add_volume(noise(), GRIDS["RAS"], run.cases.cases[0].name)
    for model in ("", "another run"):
        assert learnedWarning(segmentation_of(known, model), segmentation_of(known)) == ""


@pytest.mark.parametrize(
    ("phase", "state", "text"),
    [
        ("joint", "running", "Validation Dice: 0.812"),
        ("final", "running", "Validation Dice before final training: 0.812"),
        ("", "finished", "Validation Dice before final training: 0.812"),
    ],
)
def test_the_bar_says_that_the_dice_dates_from_before_the_final_phase(
    phase: str, state: str, text: str
) -> None:
    assert diceText(SimpleNamespace(phase=phase, state=state, lastDice=0.8123)) == text
