"""Validation: whole cases by the path of predictions, at a tenth of the time."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import small_run
from torch import nn

from GenSegLib.data.label_sets import LabelSets
from GenSegLib.data.training_case import InMemoryCase
from GenSegLib.events import EventLog, read_events
from GenSegLib.training import rounds
from GenSegLib.training.checkpoints import TrainingState
from GenSegLib.training.learner import Learner
from GenSegLib.training.rounds import Rounds
from GenSegLib.training.session import Session, load_session
from GenSegLib.training.validation import CaseSegmenter, class_dice_scores, mean_dice

VALUES = [3, 7]  # label values of the classes 1 and 2


class Thresholds(nn.Module):
    """Segments bright voxels: class 1 above 0.5, class 2 above 1.5."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        first = ((images > 0.5) & (images <= 1.5)).float()
        second = (images > 1.5).float()
        return 9 * torch.cat([1 - first - second, first, second], dim=1)


def case(image: torch.Tensor, name: str = "a", spacing: float = 1.0) -> InMemoryCase:
    label = (image[0] > 0.5).long() + (image[0] > 1.5).long()
    return InMemoryCase(name, image, label, (spacing,) * 3)


def bright_blocks() -> torch.Tensor:
    """Two blocks of class 1, the smaller one far away, and one of class 2."""
    image = torch.zeros(1, 40, 48, 24)
    image[:, 4:14, 4:14, 4:14] = 1.0
    image[:, 30:34, 40:44, 16:20] = 1.0
    image[:, 16:20, 16:20, 4:8] = 2.0
    return image


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    """A training whose segmenter are thresholds."""
    session = load_session(small_run(tmp_path / "run", generator="none"))
    monkeypatch.setattr(Learner, "averaged_segmenter", Thresholds().eval())
    return session


def test_whole_cases_are_segmented_however_far_from_the_labels(session: Session) -> None:
    learner = session.learner
    learner.preset = replace(learner.preset, largest_component=False)
    truth = case(bright_blocks())
    predicted = CaseSegmenter(learner, VALUES)(truth)
    assert np.array_equal(predicted, truth.label.numpy())
    background = InMemoryCase("b", truth.image, torch.zeros_like(truth.label), truth.spacing)
    assert np.array_equal(CaseSegmenter(learner, VALUES)(background), predicted)


def test_validation_postprocesses_as_predictions_do(session: Session) -> None:
    learner = session.learner
    learner.preset = replace(learner.preset, largest_component=True)
    predicted = CaseSegmenter(learner, VALUES)(case(bright_blocks()))
    assert not predicted[30:34, 40:44].any()
    assert predicted[4:14, 4:14, 4:14].all() and (predicted[16:20, 16:20, 4:8] == 2).all()


def test_with_a_coarse_spacing_validation_localizes_the_organ_first(session: Session) -> None:
    learner = session.learner
    learner.preset = replace(
        learner.preset, largest_component=True, coarse_spacing=(2.0,) * 3, coarse_margin_mm=2.0
    )
    image = bright_blocks()
    coarse = case(image[:, ::2, ::2, ::2], spacing=2.0)
    found = CaseSegmenter(learner, VALUES)(replace(case(image), coarse=coarse))
    assert np.array_equal(found[:22], case(image).label.numpy()[:22])
    blank = replace(case(image), coarse=case(torch.zeros(1, 20, 24, 12), spacing=2.0))
    assert not CaseSegmenter(learner, VALUES)(blank).any()
    learner.preset = replace(learner.preset, full_image_fallback=True)
    assert CaseSegmenter(learner, VALUES)(blank).any()


def test_a_class_in_neither_map_has_no_dice_and_no_part_in_means() -> None:
    label = np.array([0, 1, 1, 0], np.uint8)
    sets = LabelSets.of((), {1: "Liver", 2: "Tumor"}, {})
    scores = class_dice_scores(label, label, sets)
    assert scores[0] == 1.0 and math.isnan(scores[1])
    assert class_dice_scores(np.array([2, 1, 1, 0], np.uint8), label, sets) == [1.0, 0.0]
    assert mean_dice([scores, [0.5, 0.25]]) == pytest.approx((0.75 + 0.25) / 2)
    assert math.isnan(mean_dice([[math.nan, math.nan]]))


def three_cases(session: Session) -> None:
    learner = session.learner
    cases = [case(bright_blocks(), name) for name in "abc"]
    learner.cases = [*learner.cases[: learner.training_count], *cases]
    learner.preset = replace(learner.preset, largest_component=False)


def test_cases_that_take_too_long_are_left_out(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_cases(session)
    monkeypatch.setattr(rounds, "_FREE_S", 0.0)
    run, state = small_run(tmp_path / "other"), TrainingState()
    log = EventLog(run.events_file)
    Rounds(run, log).validate(session, state, 10, total_s=1e-3)
    texts = [event["text"] for event in read_events(run.events_file) if event["kind"] == "log"]
    assert any("validation uses 1 of 3 cases" in text for text in texts)
    assert state.last_dice == 1.0 and not state.is_empty
    previews = {path.name for path in run.previews.glob("*/validation_*_prediction.nii.gz")}
    assert previews == {"validation_a_prediction.nii.gz"}


def test_validation_without_any_annotated_class_is_a_warning(
    session: Session, tmp_path: Path
) -> None:
    image = torch.zeros(1, 40, 48, 24)
    session.learner.cases = [*session.learner.cases[:-1], case(image, "healthy")]
    run, state = small_run(tmp_path / "other"), TrainingState()
    validating = Rounds(run, EventLog(run.events_file))
    for step in (10, 20):
        validating.validate(session, state, step, total_s=1e9)
    events = [event for event in read_events(run.events_file) if event["kind"] == "log"]
    (warning,) = (event["text"] for event in events if event["level"] == "warning")
    assert "the validation cases (healthy) have no class to measure" in warning
    assert state.last_dice is None


def test_validations_take_at_most_a_tenth_of_the_time(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_FREE_S", 0.0)
    run = small_run(tmp_path / "other")
    validating = Rounds(run, EventLog(None))
    assert validating.can_validate(0.0), "what it takes is not known yet"
    validating.validate(session, TrainingState(), 10, total_s=1e9)
    seconds = validating._last_s
    assert not validating.can_validate(20 * seconds)
    assert validating.can_validate(31 * seconds), "with the last validation these are three"
