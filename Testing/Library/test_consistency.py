"""Consistency regularization on unlabeled images: loss, teacher, and whole trainings."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_runs import phantom_cases, small_run

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.events import EventLog, read_events
from GenSegLib.multilevel import finite_difference
from GenSegLib.multilevel.vectors import gradient
from GenSegLib.reports import write_report
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.consistency import (
    MeanTeacher,
    certainty_mask,
    consistency_loss,
    ramp_up,
)
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session
from GenSegLib.training.train import train
from Testing.training_states import differing, final_state

pytestmark = pytest.mark.usefixtures("few_channels")

STEPS = {"warmup_steps": 1, "joint_steps": 6, "final_steps": 4, "validation_interval": 6}
SHAPE = (8, 8, 8)
EVERYWHERE = torch.ones(2, 1, *SHAPE)


def partly_labeled() -> CaseSet:
    """Four labeled phantoms and two unlabeled ones."""
    cases = phantom_cases(6)

    def without_label(case: Case) -> Case:
        return dataclasses.replace(case, label=None, role=Role.UNLABELED)

    unlabeled = map(without_label, cases.cases[4:])
    return dataclasses.replace(cases, cases=(*cases.cases[:4], *unlabeled))


def run_with_unlabeled(folder: Path, method: str = "mean-teacher", **changes: Any) -> RunFolder:
    return small_run(folder, partly_labeled(), consistency=method, **{**STEPS, **changes})


def logits(seed: int, classes: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(2, classes, *SHAPE, generator=generator)


def probabilities(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, -1, 1, 1, 1).expand(1, len(values), 2, 2, 2)


@pytest.fixture(scope="module", params=["mean-teacher", "uncertainty-aware"])
def learner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Learner:
    folder = tmp_path_factory.mktemp("learner") / "run"
    return load_session(run_with_unlabeled(folder, request.param, generator="none")).learner


def teacher_of(learner: Learner) -> MeanTeacher:
    assert learner.teacher is not None
    return learner.teacher


def test_the_loss_is_0_for_equal_and_almost_1_for_opposite_predictions() -> None:
    equal = logits(0)
    assert float(consistency_loss(equal, equal.softmax(dim=1), EVERYWHERE)) == 0.0
    predicted, target = torch.zeros(2, 2, *SHAPE), torch.zeros(2, 2, *SHAPE)
    predicted[:, 1, :4], predicted[:, 1, 4:] = 50.0, -50.0
    target[:, 0, :4] = target[:, 1, 4:] = 1.0
    loss = float(consistency_loss(predicted, target, EVERYWHERE))
    assert loss == pytest.approx(1.0, abs=0.01)


def test_the_loss_does_not_depend_on_the_amount_of_background() -> None:
    predicted, target = logits(0), logits(1).softmax(dim=1)
    alone = consistency_loss(predicted, target, EVERYWHERE)
    background = torch.tensor([50.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1).expand_as(predicted)
    padded = consistency_loss(
        torch.cat([predicted, background], dim=2),
        torch.cat([target, background.softmax(dim=1)], dim=2),
        torch.cat([EVERYWHERE, EVERYWHERE], dim=2),
    )
    assert float(padded) == pytest.approx(float(alone), rel=1e-3)


def test_with_deep_supervision_the_finest_level_counts() -> None:
    levels = logits(0), logits(1)
    target = logits(2).softmax(dim=1)
    finest = consistency_loss(logits(0), target, EVERYWHERE)
    assert torch.equal(consistency_loss(levels, target, EVERYWHERE), finest)


def test_voxels_outside_the_mask_do_not_count() -> None:
    predicted, target, mask = logits(0), logits(1).softmax(dim=1), EVERYWHERE.clone()
    mask[..., 4:] = 0
    other = predicted.clone()
    other[:, 1, ..., 4:] -= 20
    losses = (consistency_loss(each, target, mask) for each in (predicted, other))
    assert torch.equal(*losses)


@pytest.mark.parametrize(
    ("values", "certain"), [((0.02, 0.02, 0.96), True), ((0.01, 0.5, 0.49), False)]
)
def test_uncertain_voxels_are_masked_out(values: tuple[float, ...], certain: bool) -> None:
    assert bool(certainty_mask(probabilities(*values), 0.0).all()) is certain


def test_the_certainty_threshold_rises_during_the_training() -> None:
    borderline = probabilities(0.3, 0.7)
    assert not certainty_mask(borderline, 0.0).any()
    assert certainty_mask(borderline, 1.0).all()


def test_the_weight_ramps_up_to_1_and_stays() -> None:
    ramp = [ramp_up(progress / 10) for progress in range(11)]
    assert ramp == sorted(ramp)
    assert ramp[0] == pytest.approx(math.exp(-5))
    assert ramp_up(1.0) == ramp_up(7.0) == 1.0


def test_only_the_student_gets_a_gradient(learner: Learner) -> None:
    term = teacher_of(learner).sample(0.5)
    assert not term.target.requires_grad and not term.mask.requires_grad
    assert not any(tensor.requires_grad for tensor in learner.averaged_segmenter.parameters())
    student = learner.problem.middle_parameters()
    assert any(bool(grad.any()) for grad in gradient(term.loss(student), student))
    assert learner.problem.segmenter.training


def test_the_target_is_the_prediction_of_the_averaged_segmenter(learner: Learner) -> None:
    state = learner.rng.generator.get_state()
    term = teacher_of(learner).sample(0.5)
    assert term.images.shape[0] == term.target.shape[0] == learner.config.unlabeled_batch_size
    assert torch.allclose(term.target.sum(dim=1), torch.ones_like(term.target[:, 0]), atol=1e-4)
    learner.rng.generator.set_state(state)
    for tensor in learner.averaged_segmenter.parameters():
        tensor.mul_(1.1)
    assert not torch.equal(term.target, teacher_of(learner).sample(0.5).target)


def trained(run: RunFolder) -> RunFolder:
    train(run, EventLog(run.events_file))
    return run


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training with generated pairs and unlabeled images."""
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    return trained(run_with_unlabeled(folder, "uncertainty-aware"))


def test_the_middle_loss_contains_the_term_and_is_deterministic(uninterrupted: RunFolder) -> None:
    learner = load_session(uninterrupted).learner
    problem = learner.trilevel(learner.sampler.trilevel_batch())
    term = teacher_of(learner).sample(0.9)
    both = term.add_to(problem)
    generated = problem.generate(problem.lower, problem.upper)
    expected = problem.middle_loss(problem.middle, generated) + term.loss(problem.middle)
    for _ in range(2):
        assert torch.equal(both.middle_loss(both.middle, generated), expected)
    assert all(torch.isfinite(grad).all() for grad in finite_difference(both))


def test_a_resumed_training_equals_an_uninterrupted_one(
    uninterrupted: RunFolder, tmp_path: Path
) -> None:
    run = run_with_unlabeled(tmp_path / "run", "uncertainty-aware")

    def stop(event: dict[str, Any]) -> None:
        if event["kind"] == "metrics" and event["step"] == 6:
            run.request_stop()

    train(run, EventLog(run.events_file, [stop]))
    assert run.read_status()["state"] == State.STOPPED.value
    train(run, EventLog(run.events_file), resume=True)
    states = (final_state(each)["learner"] for each in (uninterrupted, run))
    assert differing(*states) == []


def test_unlabeled_cases_are_unused_by_default(tmp_path: Path) -> None:
    few = {"generator": "none", "joint_steps": 1, "final_steps": 2}
    without = trained(small_run(tmp_path / "without", phantom_cases(4), **few))
    unused = trained(small_run(tmp_path / "unused", partly_labeled(), **few))
    states = (final_state(each)["learner"] for each in (without, unused))
    assert differing(*states) == []


def test_metrics_and_report_show_the_consistency(uninterrupted: RunFolder) -> None:
    events = read_events(uninterrupted.events_file)
    measured = [event for event in events if "consistency_loss" in event]
    assert {event["phase"] for event in measured} == {"joint", "final"}
    assert all(0 <= event["consistency_loss"] <= 1 for event in measured)
    assert all(0 < event["consistency_share"] <= 1 for event in measured)
    weights = [event["consistency_weight"] for event in measured]
    assert weights == sorted(weights) and weights[-1] == 1.0
    page = write_report(uninterrupted).read_text(encoding="utf-8")
    assert "2 unlabeled" in page and "consistency" in page
