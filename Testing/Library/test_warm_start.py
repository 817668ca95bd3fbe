"""Training runs that start from a model: weights by class name, and the decision."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from small_runs import phantom_cases, small_preset, small_run
from tiny_models import save_tiny_model
from warm_starts import TINY

from GenSegLib.cases import CaseSet
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog, read_events
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.models.initial_model import (
    CONTINUE,
    FOLDER,
    FRESH,
    TRANSFER,
    WarmStart,
    renamed_labels,
    store_initial_model,
)
from GenSegLib.models.weights import load_segmenter, save_weights
from GenSegLib.planning.plan import Limits, plan_settings
from GenSegLib.runs import RunFolder
from GenSegLib.training import warm_start
from GenSegLib.training.checkpoints import TrainingState
from GenSegLib.training.schedule import Schedule
from GenSegLib.training.session import Session, load_session
from GenSegLib.training.train import train
from GenSegLib.training.trained_model import training_record
from GenSegLib.training.warm_start import start_from_model, transfer_weights

pytest_plugins = ["warm_starts"]
pytestmark = pytest.mark.usefixtures("few_channels")


def with_labels(labels: dict[int, str]) -> CaseSet:
    return replace(phantom_cases(), labels=labels)


def run_from(
    first: RunFolder, folder: Path, labels: dict[int, str] | None = None, **start: object
) -> RunFolder:
    """A run that starts from the model of the first, whose classes are Anterior and Posterior."""
    labels = labels or first.labels
    run = small_run(folder, with_labels(labels), **TINY)
    run.set_plan(run.config, replace(run.preset, labels=labels, colors={}, terminology={}), None)
    store_initial_model(run.path, first.model, WarmStart("first", 3, **start))  # type: ignore[arg-type]
    return run


@cache
def first_weights(first: RunFolder) -> dict[str, torch.Tensor]:
    return dict(load_segmenter(first.model)[0].state_dict())


def output_layers(state: dict[str, torch.Tensor], classes: int) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state.items() if classes in value.shape[:2]}


def transferred(run: RunFolder) -> tuple[Session, dict[str, torch.Tensor], list[str]]:
    session = load_session(run)
    model, metadata = load_segmenter(run.path / FOLDER)
    start = WarmStart.load(run.path)
    assert start is not None
    fresh = dict(session.learner.problem.segmenter.state_dict())
    arguments = metadata, start, model, session.names, session.learner, fresh
    return session, *transfer_weights(*arguments)


# ---- weights


def test_the_same_classes_take_over_all_weights(first: RunFolder, tmp_path: Path) -> None:
    _, state, missing = transferred(run_from(first, tmp_path / "run"))
    own = first_weights(first)
    assert missing == []
    assert all(torch.equal(value, own[name]) for name, value in state.items())


def test_classes_in_another_order_keep_their_weights(first: RunFolder, tmp_path: Path) -> None:
    run = run_from(first, tmp_path / "run", {1: "posterior", 2: "Anterior"})
    _, state, _ = transferred(run)
    own = first_weights(first)
    layers = output_layers(own, 3)
    assert layers
    order = torch.tensor([0, 2, 1])
    for name, value in layers.items():
        expected = value
        for axis, size in enumerate(value.shape[:2]):
            expected = expected.index_select(axis, order) if size == 3 else expected
        assert torch.equal(state[name], expected), name


def test_a_new_class_starts_fresh_and_known_ones_do_not(first: RunFolder, tmp_path: Path) -> None:
    run = run_from(first, tmp_path / "run", {1: "Anterior", 2: "Posterior", 3: "Tumor"})
    session, state, missing = transferred(run)
    assert missing == ["Tumor"]
    fresh, own = session.learner.problem.segmenter.state_dict(), first_weights(first)
    bias = next(name for name, value in own.items() if value.shape == (3,))
    assert torch.equal(state[bias][:3], own[bias])
    assert torch.equal(state[bias][3:], fresh[bias][3:])


def test_fewer_classes_drop_an_output_channel(first: RunFolder, tmp_path: Path) -> None:
    _, state, missing = transferred(run_from(first, tmp_path / "run", {1: "Posterior"}))
    own = first_weights(first)
    bias = next(name for name, value in own.items() if value.shape == (3,))
    assert missing == []
    assert torch.equal(state[bias], own[bias][[0, 2]])


def test_a_renamed_class_keeps_its_weights(first: RunFolder, tmp_path: Path) -> None:
    run = run_from(
        first, tmp_path / "run", {1: "Head", 2: "Posterior"}, renamed={"anterior": "Head"}
    )
    _, state, missing = transferred(run)
    assert missing == []
    assert all(torch.equal(value, first_weights(first)[name]) for name, value in state.items())


def test_an_unknown_class_cannot_be_renamed(first: RunFolder) -> None:
    metadata = ModelMetadata.load(first.model)
    with pytest.raises(GenSegError, match="no class 'Liver'; its classes are 1 Anterior"):
        renamed_labels(metadata, {"Liver": "Leber"})
    with pytest.raises(GenSegError, match="the same name"):
        renamed_labels(metadata, {"Anterior": "Posterior"})


def test_another_network_is_refused(first: RunFolder, tmp_path: Path) -> None:
    run = run_from(first, tmp_path / "run")
    save_tiny_model(tmp_path / "tiny", small_preset())
    store_initial_model(run.path, tmp_path / "tiny", WarmStart("tiny"))
    with pytest.raises(GenSegError, match="the model tiny has another network"):
        start_from_model(run, load_session(run), EventLog(None))


# ---- the decision


def decide(
    run: RunFolder,
    monkeypatch: pytest.MonkeyPatch,
    dice: float,
    losses: tuple[float, float],
    spent_s: float = 0.0,
) -> tuple[RunFolder, Session]:
    """Start with a given Dice of the model, and losses of trials from it and from scratch."""
    trials = iter(losses)
    monkeypatch.setattr(warm_start, "_patch_dice", lambda *_: dice)
    monkeypatch.setattr(warm_start, "_trial_loss", lambda *_: next(trials))
    session = load_session(run)
    start_from_model(run, session, EventLog(run.events_file), spent_s)
    return RunFolder.open(run.path), session


def test_a_model_that_knows_the_task_is_continued_briefly(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, session = decide(run_from(first, tmp_path / "run"), monkeypatch, 0.8, (1, 1))
    assert WarmStart.load(run.path).outcome == CONTINUE  # type: ignore[union-attr]
    assert run.config.joint_steps + run.config.final_steps == 4  # of 8
    assert session.learner.config == run.config
    start_from_model(run, load_session(run), EventLog(None))  # after a crash: not once more
    assert RunFolder.open(run.path).config == run.config
    state = session.learner.averaged_segmenter.state_dict()
    assert all(torch.equal(value, first_weights(first)[name]) for name, value in state.items())


def test_a_shortened_training_is_planned_and_averaged_over_fewer_steps(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_from(first, tmp_path / "run")
    preset, limits = run.preset, Limits(budget_s=600, memory=2**33, generator="none")
    planned = replace(run.config, **plan_settings(preset, 2, limits, seconds=0.5))
    run.set_plan(planned, preset, None)
    run, _ = decide(run, monkeypatch, 0.8, (1, 1), spent_s=60)
    assert run.config.time_budget_s == 60 + 540 / 3
    third = replace(limits, budget_s=200)
    expected = plan_settings(preset, 2, third, seconds=0.5)
    assert run.config.expected_steps == expected["expected_steps"] < planned.expected_steps
    assert run.config.ema_decay == pytest.approx(expected["ema_decay"], abs=0.01)
    schedule = Schedule.of(run.config)
    missing = schedule.steps["final"] - expected["expected_steps"]  # when the time is over
    state = TrainingState(phase="final", missing_steps={"final": missing})
    record = training_record(schedule, state, run.config.expected_steps)
    assert not record.is_cut_short


def test_a_model_that_knows_the_task_is_validated_before_it_learns_from_all_cases(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_start, "_patch_dice", lambda *_: 0.8)
    run = run_from(first, tmp_path / "run")
    train(run, EventLog(run.events_file))
    events = list(read_events(run.events_file))
    assert [e["step"] for e in events if "validation_dice" in e] == [0]
    assert {e["phase"] for e in events if "segmenter_loss" in e} == {"final"}
    metadata = ModelMetadata.load(run.model)
    assert metadata.validation["dice"] >= 0
    assert metadata.training.steps_after_validation == metadata.training.steps == 4


def test_a_length_that_the_user_has_set_stays(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_from(first, tmp_path / "run", may_shorten=False)
    run, _ = decide(run, monkeypatch, 0.8, (1, 1))
    assert run.config.joint_steps + run.config.final_steps == 8


def test_a_model_of_another_task_that_helps_keeps_the_schedule(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, session = decide(run_from(first, tmp_path / "run"), monkeypatch, 0.1, (0.5, 0.9))
    assert WarmStart.load(run.path).outcome == TRANSFER  # type: ignore[union-attr]
    assert (run.config.joint_steps, run.config.final_steps) == (4, 4)
    state = session.learner.problem.segmenter.state_dict()
    assert all(torch.equal(value, first_weights(first)[name]) for name, value in state.items())


def test_a_model_that_does_not_help_gives_exactly_the_training_from_scratch(
    first: RunFolder, tmp_path: Path
) -> None:
    """Weights that are noise lose the trial, and nothing of them or of the trial remains."""
    broken = tmp_path / "broken"
    shutil.copytree(first.model, broken)
    noise = {name: 50 * torch.randn_like(v) for name, v in first_weights(first).items()}
    save_weights(broken, noise)
    run = run_from(first, tmp_path / "run")
    store_initial_model(run.path, broken, WarmStart("broken", 3))
    plain = small_run(tmp_path / "plain", **TINY)
    for each in (run, plain):
        train(each, EventLog(each.events_file))
    assert WarmStart.load(run.path).outcome == FRESH  # type: ignore[union-attr]
    texts = [event.get("text", "") for event in read_events(run.events_file)]
    assert any("does not help on these cases" in text for text in texts)
    own, other = (load_segmenter(each.model)[0].state_dict() for each in (run, plain))
    assert all(torch.equal(value, other[name]) for name, value in own.items())
    assert ModelMetadata.load(run.model).training.started_from == ""


def test_a_trial_sees_the_same_batches_from_either_start(first: RunFolder, tmp_path: Path) -> None:
    session = load_session(run_from(first, tmp_path / "run"))
    learner = session.learner
    state = {k: v.clone() for k, v in learner.problem.segmenter.state_dict().items()}
    patches = [learner.sampler.validation()]
    losses = {warm_start._trial_loss(learner, state, patches, 2) for _ in range(2)}
    assert len(losses) == 1


def test_a_model_is_judged_by_classes_also_where_regions_are_recolored(
    first: RunFolder, tmp_path: Path
) -> None:
    run = run_from(first, tmp_path / "run")
    run.set_plan(replace(run.config, generator="regions"), run.preset, None)
    session = load_session(run)
    _, labels = session.learner.sampler.validation()
    assert labels.shape[1] == 1 and labels.max() <= 2
    start_from_model(run, session, EventLog(None))
    start = WarmStart.load(run.path)
    assert start is not None and start.outcome
