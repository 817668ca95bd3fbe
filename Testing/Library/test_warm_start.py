"""Trainings that start from a model: weights by class name, the decision, and `genseg train`."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from small_runs import phantom_cases, small_preset, small_run
from tiny_models import save_tiny_model

from GenSegLib import commands
from GenSegLib.cases import CaseSet
from GenSegLib.cli import build_parser, main
from GenSegLib.commands.training_cases import prepare_cases
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog, read_events
from GenSegLib.files import read_json, write_json
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
from GenSegLib.models.provenance import inherited_settings, with_provenance
from GenSegLib.models.training_record import TrainingRecord
from GenSegLib.models.weights import load_segmenter, save_weights
from GenSegLib.planning.continuation import plan_misfit
from GenSegLib.runs import RunFolder
from GenSegLib.training import warm_start
from GenSegLib.training.session import Session, load_session
from GenSegLib.training.train import train
from GenSegLib.training.warm_start import start_from_model, transfer_weights

Capture = pytest.CaptureFixture[str]
LABELS = {1: "Anterior", 2: "Posterior"}
TINY = {"warmup_steps": 2, "joint_steps": 4, "final_steps": 4, "generator": "none"}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished training."""
    run = small_run(tmp_path_factory.mktemp("first") / "first", **TINY)
    train(run, EventLog(None))
    return run


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
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, dice: float, losses: tuple[float, float]
) -> tuple[RunFolder, Session]:
    """Start with a given Dice of the model, and losses of trials from it and from nothing."""
    trials = iter(losses)
    monkeypatch.setattr(warm_start, "_patch_dice", lambda *_: dice)
    monkeypatch.setattr(warm_start, "_trial_loss", lambda *_: next(trials))
    session = load_session(run)
    start_from_model(run, session, EventLog(run.events_file))
    return RunFolder.open(run.path), session


def test_a_model_that_knows_the_task_is_continued_gently_and_briefly(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, session = decide(run_from(first, tmp_path / "run"), monkeypatch, 0.8, (1, 1))
    before = first.config
    assert WarmStart.load(run.path).outcome == CONTINUE  # type: ignore[union-attr]
    assert run.config.segmenter_lr < before.segmenter_lr
    assert run.config.final_steps == 2  # of 4
    assert session.learner.config == run.config
    start_from_model(run, load_session(run), EventLog(None))  # after a crash: not once more
    assert RunFolder.open(run.path).config == run.config
    state = session.learner.averaged_segmenter.state_dict()
    assert all(torch.equal(value, first_weights(first)[name]) for name, value in state.items())


def test_a_length_that_the_user_has_set_stays(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_from(first, tmp_path / "run", may_shorten=False)
    run, _ = decide(run, monkeypatch, 0.8, (1, 1))
    assert run.config.final_steps == TINY["final_steps"]


def test_a_model_of_another_task_that_helps_keeps_rate_and_schedule(
    first: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, session = decide(run_from(first, tmp_path / "run"), monkeypatch, 0.1, (0.5, 0.9))
    assert WarmStart.load(run.path).outcome == TRANSFER  # type: ignore[union-attr]
    assert (run.config.segmenter_lr, run.config.final_steps) == (first.config.segmenter_lr, 4)
    state = session.learner.problem.segmenter.state_dict()
    assert all(torch.equal(value, first_weights(first)[name]) for name, value in state.items())


def test_a_model_that_does_not_help_gives_exactly_the_training_from_nothing(
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


# ---- plans


def test_a_plan_that_cannot_show_the_structures_does_not_suit() -> None:
    fingerprint = prepare_cases(phantom_cases(), small_preset(), 0.25, 0).fingerprint
    preset = small_preset()
    assert plan_misfit(fingerprint, preset, {1, 2}) == ""
    fine = replace(preset, spacing=(0.2, 0.2, 0.2))
    assert "works at 0.2 mm, but the images have 1 mm" in plan_misfit(fingerprint, fine, ())
    coarse = replace(preset, spacing=(9.0, 9.0, 9.0))
    assert "coarser than a new structure" in plan_misfit(fingerprint, coarse, {2})
    small = replace(preset, patch_size=(8, 8, 8), spacing=(0.5, 0.5, 0.5))
    assert "its patches of 4 mm show little" in plan_misfit(fingerprint, small, {1})
    ct = replace(preset, intensity=replace(preset.intensity, kind="window", low=-5000, high=-4000))
    assert "expects intensities from -5000" in plan_misfit(fingerprint, ct, ())


def test_a_plan_is_right_for_the_classes_that_it_was_made_for() -> None:
    fingerprint = prepare_cases(phantom_cases(), small_preset(), 0.25, 0).fingerprint
    coarse = replace(small_preset(), spacing=(9.0, 9.0, 9.0))
    assert plan_misfit(fingerprint, coarse, new=()) == ""


def test_a_planned_model_gives_its_batch_and_steps_that_fit_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that segments slice by slice, planned with batches of 8."""
    preset = replace(
        *(small_preset(),), spatial_dims=2, patch_size=(16, 24), spacing=(1.0, 1.0), labels={}
    )
    record = TrainingRecord(planned=True, settings={"batch_size": 8, "generator": "none"})
    metadata = save_tiny_model(tmp_path / "model", replace(preset, labels=LABELS), training=record)
    monkeypatch.setattr("GenSegLib.planning.timing.measure_step", lambda *_: 0.1)
    arguments = write_list(tmp_path), "--from", tmp_path / "model", "--out", tmp_path / "run"
    run = prepared(*arguments, "--time-budget", "60s")
    assert run.preset.patch_size == metadata.preset.patch_size
    assert (run.config.batch_size, run.config.generator) == (8, "none")
    assert 2 * run.config.joint_steps == 3 * run.config.final_steps > 600
    assert inherited_settings(with_provenance(TrainingRecord(), run)) == record.settings
    learner = load_session(run).learner
    assert learner.arguments == {**metadata.network_args, "out_channels": 3}


# ---- the command line


def genseg(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list of the phantoms."""
    return write_list(tmp_path_factory.mktemp("cases"))


def write_list(folder: Path) -> Path:
    write_json(folder / "cases.json", phantom_cases().to_json())
    return folder / "cases.json"


def options(**changes: object) -> list[str]:
    settings = {"joint_steps": 4, "final_steps": 4, **changes}
    return [text for name, value in settings.items() for text in ("--set", f"{name}={value}")]


def test_a_training_starts_from_a_run_and_its_card_says_so(
    first: RunFolder, cases: Path, tmp_path: Path
) -> None:
    out = tmp_path / "second"
    assert genseg("train", cases, "--from", first.path, "--out", out, *options()) == 0
    run = RunFolder.open(out)
    model = ModelMetadata.load(run.model)
    assert model.preset.patch_size == first.preset.patch_size
    assert model.network == "unet"
    assert run.config.generator == "none"  # of the first
    assert model.training.started_from == "first"
    assert any("started from the model first" in note for note in model.notes)


def prepared(*arguments: object) -> RunFolder:
    """The run that a command trains, without training it."""
    args = build_parser().parse_args(["train", *map(str, arguments)])
    args.started = time.monotonic()
    return commands.train._find_run(args)


def test_a_run_keeps_a_copy_of_its_initial_model(
    first: RunFolder, cases: Path, tmp_path: Path
) -> None:
    model, out = tmp_path / "model", tmp_path / "run"
    shutil.copytree(first.model, model)
    run = prepared(cases, "--from", model, "--out", out, *options())
    shutil.rmtree(model)
    assert load_segmenter(run.path / FOLDER)[1].labels == first.labels


def test_a_run_of_the_panel_starts_from_a_model(first: RunFolder, tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", **{**TINY, "segmenter": "dynunet"})
    run = prepared(run.path, "--from", first.model)
    assert WarmStart.load(run.path) == WarmStart("first", 4, may_shorten=False)  # steps are given
    assert (run.config.segmenter, run.preset.patch_size) == ("unet", first.preset.patch_size)


def test_a_class_of_another_name_is_added_to_the_preset(
    first: RunFolder, cases: Path, tmp_path: Path
) -> None:
    values = read_json(cases)
    write_json(tmp_path / "cases.json", {**values, "labels": {"1": "Head", "2": "Posterior"}})
    arguments = tmp_path / "cases.json", "--from", first.path, "--out"
    new = prepared(*arguments, tmp_path / "new", *options())
    assert new.labels == {1: "Head", 2: "Posterior"}
    assert set(new.preset.terminology) == {2}
    renamed = prepared(*arguments, tmp_path / "renamed", "--rename", "Anterior=Head", *options())
    assert set(renamed.preset.terminology) == {1, 2}


def test_classes_within_others_are_inherited_by_their_new_names(
    cases: Path, tmp_path: Path
) -> None:
    includes = {"Anterior": ("Posterior",)}
    save_tiny_model(tmp_path / "model", small_preset(), includes=includes)
    values = read_json(cases)
    write_json(tmp_path / "cases.json", {**values, "labels": {"1": "Head", "2": "Posterior"}})
    arguments = tmp_path / "cases.json", "--from", tmp_path / "model", "--rename", "Anterior=Head"
    run = prepared(*arguments, "--out", tmp_path / "run", *options())
    assert run.cases.includes == {"Head": ("Posterior",)}


def test_a_model_of_another_modality_gives_a_plan_of_the_cases_own(
    first: RunFolder, cases: Path, tmp_path: Path, capsys: Capture
) -> None:
    write_json(tmp_path / "cases.json", {**read_json(cases), "modality": "CT"})
    arguments = tmp_path / "cases.json", "--from", first.path, "--out", tmp_path / "run"
    run = prepared(*arguments, "--effort", "quick", *options())
    assert "does not suit these cases (it is for MR, the cases are CT)" in capsys.readouterr().err
    assert WarmStart.load(run.path) is None
    assert run.preset.name == "generic-ct"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "FIRST", "--preset", "liver-ct"), "--preset comes from the model of --from"),
        (("--from", "FIRST", "--segmenter", "unet"), "--segmenter comes from the model"),
        (("--rename", "a=b"), "--rename belongs to --from"),
        (("--from", "FIRST", "--rename", "Liver=b"), "no class 'Liver'"),
        (("--from", "FIRST", "--rename", "Liver"), "written OLD=NEW"),
        (("--from", "nowhere"), "nowhere is not a model folder"),
    ],
)
def test_contradictions_are_refused_before_anything_is_written(
    first: RunFolder,
    cases: Path,
    tmp_path: Path,
    capsys: Capture,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    given = [str(first.path) if each == "FIRST" else each for each in arguments]
    assert genseg("train", cases, *given, "--out", tmp_path / "run") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_another_number_of_channels_is_refused_with_the_reason(
    cases: Path, tmp_path: Path, capsys: Capture
) -> None:
    save_tiny_model(tmp_path / "tiny", replace(small_preset(), channels=2))
    arguments = "--from", tmp_path / "tiny", "--out", tmp_path / "run"
    assert genseg("train", cases, *arguments) == 2
    assert "1 channels, but the model tiny is for 2, so that its weights" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
