"""Unlabeled scans: what the student is asked, what the teacher is spared, what a run shows."""

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
from GenSegLib.multilevel.levels import gradient
from GenSegLib.reports import write_report
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.consistency import Consistency, consistency_loss, ramp_up, trusted
from GenSegLib.training.learner import Learner
from GenSegLib.training.session import load_session
from GenSegLib.training.train import train
from Testing.training_states import differing, final_state

FEW = {"warmup_steps": 1, "joint_steps": 6, "final_steps": 4, "validate_every": 6}
METHODS = ("mean-teacher", "uncertainty-aware")
SHAPE = (8, 8, 8)


def without_label(case: Case) -> Case:
    return dataclasses.replace(case, label=None, role=Role.UNLABELED)


def partly_segmented() -> CaseSet:
    """Four segmented phantoms and two scans."""
    cases = phantom_cases(6)
    return dataclasses.replace(
        cases, cases=(*cases.cases[:4], *map(without_label, cases.cases[4:]))
    )


def small_run_with_scans(folder: Path, method: str = "mean-teacher", **changes: Any) -> RunFolder:
    return small_run(folder, partly_segmented(), consistency=method, **{**FEW, **changes})


def logits(seed: int, classes: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(2, classes, *SHAPE, generator=generator)


def everywhere() -> torch.Tensor:
    return torch.ones(2, 1, *SHAPE)


def probabilities(*values: float) -> torch.Tensor:
    return torch.tensor(values).reshape(1, -1, 1, 1, 1).expand(1, len(values), 2, 2, 2)


@pytest.fixture(scope="module", params=METHODS)
def learner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Learner:
    folder = tmp_path_factory.mktemp("learner") / "run"
    run = small_run_with_scans(folder, request.param, generator="none")
    found = load_session(run).learner
    found.passed = 0.5
    return found


def consistency_of(learner: Learner) -> Consistency:
    assert learner.consistency is not None
    return learner.consistency


def test_equal_outputs_cost_nothing() -> None:
    found = logits(0)
    assert float(consistency_loss(found, found.softmax(dim=1), everywhere())) == 0.0


def test_opposite_outputs_cost_nearly_one() -> None:
    found = torch.zeros(2, 2, *SHAPE)
    found[:, 1] = 50.0
    wanted = torch.zeros(2, 2, *SHAPE)
    wanted[:, 0, :4] = wanted[:, 1, 4:] = 1.0
    first = float(consistency_loss(found, wanted, everywhere()))
    assert first == pytest.approx(1 / 3, abs=0.01)
    found[:, 1, 4:] = -50.0
    assert float(consistency_loss(found, wanted, everywhere())) == pytest.approx(1.0, abs=0.01)


def test_background_around_does_not_thin_the_loss_out() -> None:
    found, wanted = logits(0), logits(1).softmax(dim=1)
    alone = consistency_loss(found, wanted, everywhere())
    sure = torch.tensor([50.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1).expand_as(found)
    wider = torch.cat([found, sure], dim=2), torch.cat([wanted, sure.softmax(dim=1)], dim=2)
    amid = consistency_loss(*wider, torch.cat([everywhere(), everywhere()], dim=2))
    assert float(amid) == pytest.approx(float(alone), rel=1e-3)


def test_under_deep_supervision_the_finest_level_counts() -> None:
    levels = torch.stack([logits(0), logits(1)], dim=1)
    wanted = logits(2).softmax(dim=1)
    alone = consistency_loss(logits(0), wanted, everywhere())
    assert torch.equal(consistency_loss(levels, wanted, everywhere()), alone)


def test_what_lies_outside_the_mask_counts_nothing() -> None:
    found, wanted = logits(0), logits(1).softmax(dim=1)
    mask = everywhere()
    mask[..., 4:] = 0
    other = found.clone()
    other[..., 4:] += 7
    other[:, 1, ..., 4:] -= 20
    assert torch.equal(consistency_loss(found, wanted, mask), consistency_loss(other, wanted, mask))


@pytest.mark.parametrize(
    ("values", "sure"),
    [
        ((0.98, 0.02), True),
        ((0.5, 0.5), False),
        ((0.01, 0.5, 0.49), False),
        ((0.02, 0.02, 0.96), True),
    ],
    ids=["one class", "a border", "a border of two among three", "one among three"],
)
def test_the_mask_leaves_out_what_the_teacher_is_not_sure_of(
    values: tuple[float, ...], sure: bool
) -> None:
    assert bool(trusted(probabilities(*values), 0.0).all()) is sure


def test_more_is_trusted_the_longer_a_training_lasts() -> None:
    borderline = probabilities(0.3, 0.7)
    assert not trusted(borderline, 0.0).any()
    assert trusted(borderline, 1.0).all()


def test_the_weight_rises_slowly_and_then_stays() -> None:
    rises = [ramp_up(done / 10) for done in range(11)]
    assert rises == sorted(rises)
    assert rises[0] == pytest.approx(math.exp(-5))
    assert ramp_up(1.0) == ramp_up(7.0) == 1.0


def test_the_teacher_gets_no_gradient_and_the_student_does(learner: Learner) -> None:
    term = consistency_of(learner).draw(0.5)
    assert not term.wanted.requires_grad and not term.mask.requires_grad
    assert not any(tensor.requires_grad for tensor in learner.average.tensors)
    student = learner.problem.middle_parameters()
    pulls = gradient(term.loss(student), student)
    assert any(bool(pull.abs().max() > 0) for pull in pulls)


def test_the_teacher_is_the_average_and_leaves_the_student_as_it_was(learner: Learner) -> None:
    segmenter = learner.problem.segmenter
    before = [p.detach().clone() for p in segmenter.parameters()]
    consistency_of(learner).draw(0.5)
    assert segmenter.training
    assert all(torch.equal(a, b) for a, b in zip(before, segmenter.parameters()))
    state = learner.rng.generator.get_state()
    drawn = consistency_of(learner).draw(0.5).wanted
    learner.rng.generator.set_state(state)
    for tensor in learner.average.tensors:
        tensor.mul_(1.1)
    assert not torch.equal(drawn, consistency_of(learner).draw(0.5).wanted)


def test_the_student_sees_other_colors_of_what_the_teacher_judged(learner: Learner) -> None:
    term = consistency_of(learner).draw(0.5)
    assert term.images.shape[0] == term.wanted.shape[0] == learner.config.unlabeled_batch_size
    assert term.images.shape[2:] == term.wanted.shape[2:]
    assert torch.allclose(term.wanted.sum(dim=1), torch.ones_like(term.wanted[:, 0]), atol=1e-4)


def trained(run: RunFolder) -> RunFolder:
    train(run, EventLog(run.events_file))
    return run


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training with generated pairs and scans that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    return trained(small_run_with_scans(folder, "uncertainty-aware"))


def test_the_middle_level_holds_the_term_and_the_same_value_twice(whole: RunFolder) -> None:
    learner = load_session(whole).learner
    problem = learner._trilevel(learner.sampling.batches())
    term = consistency_of(learner).draw(0.9)
    both = term.added_to(problem)
    bridge = problem.bridge(problem.lower, problem.upper)
    apart = problem.middle_loss(problem.middle, bridge) + term.loss(problem.middle)
    assert torch.equal(both.middle_loss(both.middle, bridge), apart)
    assert torch.equal(both.middle_loss(both.middle, bridge), apart)
    assert all(torch.isfinite(found).all() for found in finite_difference(both))


def test_a_stopped_and_resumed_training_with_scans_equals_an_uninterrupted_one(
    whole: RunFolder, tmp_path: Path
) -> None:
    halved = small_run_with_scans(tmp_path / "halved", "uncertainty-aware")

    def stop_there(event: dict[str, Any]) -> None:
        if event["kind"] == "metrics" and event["step"] == 6:
            halved.request_stop()

    train(halved, EventLog(halved.events_file, [stop_there]))
    assert halved.read_status()["state"] == State.STOPPED.value
    train(halved, EventLog(halved.events_file), resume=True)
    assert differing(final_state(whole)["learner"], final_state(halved)["learner"]) == []


def test_scans_change_nothing_unless_they_are_asked_for(tmp_path: Path) -> None:
    few = {"generator": "none", "joint_steps": 1, "final_steps": 2}
    without = trained(small_run(tmp_path / "without", phantom_cases(4), **few))
    unused = trained(small_run(tmp_path / "unused", partly_segmented(), **few))
    used = trained(small_run(tmp_path / "used", partly_segmented(), consistency=METHODS[0], **few))
    first = final_state(without)["learner"]
    assert differing(first, final_state(unused)["learner"]) == []
    assert differing(first, final_state(used)["learner"])


def test_a_run_tells_of_its_scans_in_events_and_report(whole: RunFolder) -> None:
    measured = [e for e in read_events(whole.events_file) if "consistency_loss" in e]
    assert {event["phase"] for event in measured} == {"joint", "final"}
    assert all(0 <= event["consistency_loss"] <= 1 for event in measured)
    assert all(0 < event["consistency_share"] <= 1 for event in measured)
    weights = [event["consistency_weight"] for event in measured]
    assert weights == sorted(weights) and weights[-1] == 1.0
    page = write_report(whole).read_text(encoding="utf-8")
    assert "2 unlabeled" in page and "consistency" in page
