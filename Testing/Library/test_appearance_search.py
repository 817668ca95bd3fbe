"""Training runs with recolored regions, and the search that steers their appearance."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_up_case import made_up_case
from small_learners import small_learner
from small_runs import phantom_cases, small_preset, small_run

from GenSegLib.augmentation.policy import AugmentationPolicy
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.cases import Role
from GenSegLib.config import TrainConfig
from GenSegLib.events import EventLog, read_events
from GenSegLib.runs import RunFolder, State
from GenSegLib.training import appearance_search
from GenSegLib.training.appearance_search import (
    load_segmenter_state,
    mean_state,
    segmenter_state,
)
from GenSegLib.training.batches import Pair
from GenSegLib.training.learner import Learner
from GenSegLib.training.sampling import BatchSampler
from GenSegLib.training.session import load_session
from GenSegLib.training.synthesis import synthesize, training_pairs
from GenSegLib.training.train import train

pytestmark = pytest.mark.usefixtures("few_channels")


@pytest.fixture(autouse=True)
def early_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the search begin at once, for few comparisons, and take all steps."""
    monkeypatch.setattr(appearance_search, "MIN_COMPARISONS", 2)
    monkeypatch.setattr(appearance_search, "START_FRACTION", 0.0)
    monkeypatch.setattr(appearance_search, "SEARCH_FRACTION", 1.0)
    monkeypatch.setattr("GenSegLib.training.trainer.FIRST_STEP", 1)


def regions_learner(folder: Path, **changes: object) -> Learner:
    return small_learner(folder, generator="regions", search_horizon=2, **changes)


def trained(run: RunFolder) -> list[dict]:
    """Train a run; return its events."""
    train(run, EventLog(run.events_file))
    assert run.read_status()["state"] == State.FINISHED.value
    return list(read_events(run.events_file))


def messages(events: list[dict]) -> str:
    return "\n".join(event["text"] for event in events if event["kind"] == "log")


def test_a_training_steers_the_appearance_and_reports_the_signal(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", generator="regions", search_horizon=1, joint_steps=34)
    events = trained(run)
    assert "appearance steered by 16 comparisons" in messages(events)
    last = [event for event in events if "upper/inversion" in event][-1]
    assert 0 < last["upper/inversion"] < 1
    assert last["signal_to_noise/inversion"] != 0


def test_too_few_steps_for_a_search_keep_the_standard_distributions(tmp_path: Path) -> None:
    events = trained(small_run(tmp_path / "run", generator="regions"))
    assert "follows its standard distributions" in messages(events)


def test_the_search_takes_a_share_of_the_joint_phase_and_begins_after_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appearance_search, "START_FRACTION", 0.25)
    monkeypatch.setattr(appearance_search, "SEARCH_FRACTION", 0.5)
    learner = regions_learner(tmp_path)
    search = learner.search
    assert search is not None
    search.begin(20)
    comparing = []
    for _ in range(18):
        search.before_step(learner)
        search.after_step(learner)
        comparing.append(search.is_comparing)
    assert not any(comparing[:5]) and comparing[5] and not any(comparing[13:])
    assert search.comparisons == 2 and not search.is_active


def test_recolored_pairs_are_previewed_and_written(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", generator="regions", search_horizon=0)
    trained(run)
    names = {path.name for path in run.previews.glob("*/*")}
    assert {"generated_0_image.nii.gz", "generated_0_label.nii.gz"} <= names
    images = synthesize(run, tmp_path / "pairs", 3, 0)
    assert len(images) == 3 and all(path.is_file() for path in images)


def test_written_pairs_have_the_spacing_they_are_written_with() -> None:
    fine, coarse = (
        replace(made_up_case((32, 32, 32)), image=torch.full((1, 32, 32, 32), value))
        for value in (0.0, 1.0)
    )
    preset = replace(small_preset(), coarse_spacing=(4.0, 4.0, 4.0), coarse_fraction=0.9)
    config = TrainConfig(generator="transplants")
    policy, rng = AugmentationPolicy.for_preset(preset), RandomGenerator(0)
    cases = [replace(fine, coarse=coarse)]
    sampler = BatchSampler(config, policy, cases, 1, 2, preset, rng)
    images, _ = sampler.changed_pairs(rng, 16)
    assert not images.any()


def test_many_pairs_are_drawn_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, counts = regions_learner(tmp_path), []
    draw = learner.sampler.changed_pairs

    def changed_pairs(rng: RandomGenerator, count: int) -> Pair:
        counts.append(count)
        return draw(rng, count)

    monkeypatch.setattr(learner.sampler, "changed_pairs", changed_pairs)
    pairs = training_pairs(learner, 20, seed=0)
    next(pairs)
    assert counts == [8]
    assert len(list(pairs)) == 19 and counts == [8, 8, 8]


def test_both_sides_of_a_comparison_use_the_same_random_numbers(tmp_path: Path) -> None:
    learner = regions_learner(tmp_path)
    search = learner.search
    assert search is not None
    search.begin(1000)
    seen = []
    for _ in range(4):
        search.before_step(learner)
        learner.sampler.real(include_validation=False)
        seen.append(learner.rng.generator.get_state())
        search.after_step(learner)
    assert torch.equal(seen[0], seen[2]) and torch.equal(seen[1], seen[3])
    assert not torch.equal(seen[0], seen[1])
    assert search.comparisons == 1


def test_a_comparison_leaves_the_mean_of_both_sides(tmp_path: Path) -> None:
    learner = regions_learner(tmp_path)
    search = learner.search
    assert search is not None
    search.begin(1000)
    sides = []
    for step in range(4):
        learner.set_segmenter_lr(1.0)
        if step == 3:
            search.before_step(learner)
            learner._step_without_generator(include_validation=False)
            sides.append(segmenter_state(learner))
            search.after_step(learner)
        else:
            learner.joint_step(step)
            if step == 1:
                sides.append(segmenter_state(learner))
    expected = mean_state(*sides)["segmenter"]
    for name, tensor in learner.problem.segmenter.state_dict().items():
        torch.testing.assert_close(tensor, expected[name])


def test_a_search_continues_within_a_comparison(tmp_path: Path) -> None:
    learner, other = (regions_learner(tmp_path / name) for name in ("one", "two"))
    for each in (learner, other):
        assert each.search is not None
        each.search.begin(1000)
    for step in range(3):
        learner.joint_step(step)
    other.load_state_dict(copy.deepcopy(learner.state_dict()))
    for step in range(3, 6):
        assert learner.joint_step(step) == other.joint_step(step)
    assert learner.upper_values() == other.upper_values()


def test_an_unfinished_comparison_keeps_its_first_side(tmp_path: Path) -> None:
    learner = regions_learner(tmp_path)
    search = learner.search
    assert search is not None
    search.begin(1000)
    for step in range(3):
        learner.joint_step(step)
        if step == 1:
            first = learner.problem.segmenter.state_dict()
            first = {name: tensor.clone() for name, tensor in first.items()}
    search.end(learner)
    for name, tensor in learner.problem.segmenter.state_dict().items():
        torch.testing.assert_close(tensor, first[name])
    assert learner.sampler.recoloring is not None
    start = learner.sampler.recoloring.distribution
    assert start.inversion == pytest.approx(0.3)


def test_the_state_of_the_segmenter_is_restored_with_its_random_numbers(tmp_path: Path) -> None:
    learner = regions_learner(tmp_path)
    state = segmenter_state(learner)
    first = [learner.joint_step(step)["segmenter_loss"] for step in range(2)]
    load_segmenter_state(learner, state)
    assert [learner.joint_step(step)["segmenter_loss"] for step in range(2)] == first


def test_the_target_scanner_decides_which_validation_images_count(tmp_path: Path) -> None:
    def loss(share: float) -> float:
        learner = regions_learner(tmp_path / str(share), target_scanner=share)
        assert learner.search is not None
        return learner.search._validation_loss(learner)

    same, both, other = loss(0.0), loss(0.5), loss(1.0)
    assert both == pytest.approx((same + other) / 2, rel=1e-4)
    assert same != other


def test_the_search_minimizes_the_loss_of_the_segmenter(tmp_path: Path) -> None:
    learner = regions_learner(tmp_path, target_scanner=0.0)
    search, problem = learner.search, learner.problem
    assert search is not None
    problem.class_weights, problem.batch_dice = torch.tensor([0.2, 5.0, 1.0]), False
    rng, weights = RandomGenerator(1, learner.device), list(learner.averaged_segmenter.parameters())
    views = [learner.sampler.validation_views(rng, 0.0)[0] for _ in range(12)]
    with torch.no_grad():
        losses = [problem.upper_loss((images, labels), weights) for _, images, labels in views]
    assert search._validation_loss(learner) == pytest.approx(float(sum(losses)) / 12, rel=1e-4)


def test_without_validation_cases_nothing_is_steered(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", phantom_cases(4).subset(1, 0), generator="regions")
    assert "follows its standard distributions" in messages(trained(run))


def test_unlabeled_cases_give_contrasts_without_self_training(tmp_path: Path) -> None:
    cases = phantom_cases(4)
    unlabeled = replace(cases.cases[3], label=None, role=Role.UNLABELED)
    run = small_run(
        tmp_path / "run", replace(cases, cases=(*cases.cases[:3], unlabeled)), generator="regions"
    )
    learner = load_session(run).learner
    assert learner.pseudo_labels is None
    assert learner.sampler.recoloring is not None
    assert learner.sampler.recoloring.appearance.targets is not None
    assert "upper/target" in learner.upper_values()
