"""Planned training runs: settings of the user, measured seconds, and the commands in practice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import make_affine
from made_up_plans import (
    CINE,
    MR,
    TWENTY_MINUTES,
    plan_for,
)
from tiny_models import save_threshold_model

from GenSegLib.cases import Case, CaseSet
from GenSegLib.cli import main
from GenSegLib.commands import training_plan
from GenSegLib.commands.training_cases import PreparedCases
from GenSegLib.config import TrainConfig
from GenSegLib.data.case_fingerprint import fingerprint_case
from GenSegLib.datasets.image_io import Volume, read_label, write_image, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.planning import timing
from GenSegLib.planning.fingerprint import summarize_cases
from GenSegLib.prediction.predict import predict_files
from GenSegLib.presets import EFFORTS, load_preset
from GenSegLib.runs import RunFolder

# settings of the user


@pytest.fixture
def fast_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which every step takes 0.1 s."""
    monkeypatch.setattr(timing, "measure_step", lambda *_: 0.1)


def prepared(preset: Any = MR) -> PreparedCases:
    case = Case("a", Path("a.nii"), Path("b.nii"))
    return PreparedCases(CaseSet((case,), {1: "Part"}, "MR"), preset, CINE)


@pytest.mark.usefixtures("fast_machine")
def test_settings_of_the_user_take_precedence() -> None:
    changes = {"time_budget_s": 60.0, "segmenter": "unet", "batch_size": 3}
    config, preset, plan = training_plan.plan_training(prepared(), None, changes)
    assert plan is not None
    assert plan.budget_s == config.time_budget_s == 60
    assert (config.segmenter, preset.segmenter, config.batch_size) == ("unet", "unet", 3)
    assert preset.network == {}


@pytest.mark.usefixtures("fast_machine")
def test_steps_of_the_user_are_taken_without_a_time_budget() -> None:
    config, _, _ = training_plan.plan_training(prepared(), None, {"final_steps": 7})
    assert (config.warmup_steps, config.joint_steps, config.final_steps) == (0, 0, 7)
    assert config.time_budget_s is None


@pytest.mark.usefixtures("fast_machine")
def test_with_an_effort_the_other_steps_are_those_of_the_effort() -> None:
    config, _, _ = training_plan.plan_training(prepared(), "quick", {"joint_steps": 7})
    quick = MR.steps["quick"]
    assert (config.joint_steps, config.final_steps) == (7, quick.final_steps)


@pytest.mark.usefixtures("fast_machine")
@pytest.mark.parametrize(("effort", "minutes"), [("quick", 5), (None, 20), ("thorough", 60)])
def test_the_effort_is_a_time(effort: str | None, minutes: int) -> None:
    config, _, _ = training_plan.plan_training(prepared(), effort, {"device": "cpu"})
    assert config.time_budget_s == 60 * minutes


@pytest.mark.usefixtures("fast_machine")
def test_the_steps_of_a_fixed_preset_follow_the_time() -> None:
    fixed = load_preset("hippocampus-mri")
    config, preset, plan = training_plan.plan_training(prepared(fixed), None, {"device": "cpu"})
    assert (preset, plan) == (fixed, None)
    assert config.time_budget_s == TWENTY_MINUTES
    assert config.generator == "none", "generated pairs do not earn their time in 20 minutes"
    hour, _, _ = training_plan.plan_training(prepared(fixed), None, {"time_budget_s": 3600.0})
    assert hour.generator == TrainConfig.generator
    assert hour.final_steps / hour.joint_steps == pytest.approx(6, rel=0.01)


@pytest.mark.usefixtures("fast_machine")
def test_a_batch_has_one_sample_only_where_pairs_are_generated_from_few_cases() -> None:
    few = replace(MR, spacing=(2.0, 2.0, 8.0), few_cases=5)
    planned, generated = (
        training_plan.plan_training(prepared(few), None, {"device": "cpu", **chosen})[0]
        for chosen in ({}, {"generator": "searchable"})
    )
    assert (planned.generator, planned.batch_size) == ("none", TrainConfig.batch_size)
    assert generated.batch_size == 1


@pytest.mark.usefixtures("fast_machine")
def test_a_generator_that_the_user_chose_is_trained_whatever_the_time() -> None:
    prepared_cases = prepared(load_preset("hippocampus-mri"))
    chosen = {"time_budget_s": 30.0, "generator": "searchable"}
    config, _, _ = training_plan.plan_training(prepared_cases, None, chosen)
    assert config.generator == "searchable"
    assert config.warmup_steps > 0


def test_seconds_of_a_step_are_measured_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    preset = replace(MR, spacing=(1.0,) * 3, patch_size=(16, 16, 16))
    seconds = timing.measure_step(preset, TrainConfig(device="cpu"), 2, 1)
    assert seconds > 0
    assert timing.measure_step(preset, TrainConfig(device="cpu"), 2, 1) == seconds
    timing.cache_file().write_text("{damaged")
    assert timing.measure_step(preset, TrainConfig(device="cpu"), 2, 1) > 0


# in practice


@pytest.mark.parametrize(
    ("axes", "thick"), [("RAS", 2), ("SPL", 0), ("AIR", 1), ("LSP", 2), ("SAR", 2)]
)
def test_slices_across_any_axis_return_to_their_place(
    tmp_path: Path, axes: str, thick: int
) -> None:
    """A model that segments slices across the thick axis: what is bright, wherever it is."""
    spacing = [1.0, 1.0, 1.0]
    spacing[thick] = 5.0
    affine = make_affine(axes, tuple(spacing))
    shape = [40, 36, 32]
    shape[thick] = 6
    label = np.zeros(shape, np.int16)
    label[tuple(slice(1, size // 2) for size in shape)] = 1
    image = Volume((200.0 * label - 100).astype(np.float32)[None], affine)
    fingerprint = summarize_cases([fingerprint_case(image, Volume(label[None], affine))])
    preset = plan_for(fingerprint).preset
    assert preset.spatial_dims == 2
    assert (
        preset.orientation[-1] in {"RAS": "S", "SPL": "S", "AIR": "S", "LSP": "A", "SAR": "R"}[axes]
    )
    save_threshold_model(
        tmp_path / "model", replace(preset, labels={1: "Bright"}, modality="CT", network={})
    )
    write_image(tmp_path / "image.nii.gz", image)
    (file,) = predict_files(tmp_path / "model", [tmp_path / "image.nii.gz"], tmp_path / "out")
    np.testing.assert_array_equal(read_label(file).array[0], label)


@pytest.fixture
def boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three cases of thick slices with a bright box; measured seconds are cached beside them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    random, affine = np.random.default_rng(0), make_affine("RAS", (1.0, 1.0, 6.0))
    for name in ("a", "b", "c"):
        label = np.zeros((1, 40, 40, 4), np.int16)
        x, y = random.integers(4, 12, 2)
        label[0, x : x + 20, y : y + 20, 1:3] = 1
        image = (label + 1 + random.normal(0, 0.1, label.shape)).astype(np.float32)
        write_image(tmp_path / "images" / f"{name}.nii.gz", Volume(image, affine))
        write_label(tmp_path / "labels" / f"{name}.nii.gz", Volume(label, affine), {1: "Part"})
    return tmp_path


def test_a_training_without_preset_is_planned_and_keeps_its_time(
    boxes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = boxes / "run"
    assert main(["train", str(boxes), "--out", str(run), "--time-budget", "8s"]) == 0
    printed = capsys.readouterr().err
    assert "the images look like MR" in printed
    assert "Plan: 2-D slices of 48 x 48 at 1 mm" in printed
    folder = RunFolder.open(run)
    assert folder.plan is not None
    assert folder.plan["summary"] in printed
    assert folder.preset.spatial_dims == 2
    assert main(["predict", str(run), str(boxes / "images"), "--out", str(boxes / "p")]) == 0


def test_a_plan_is_shown_without_training(boxes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(boxes), "--time-budget", "5m"]) == 0
    assert "Plan: 2-D slices of 48 x 48 at 1 mm" in capsys.readouterr().out
    assert main(["plan", str(boxes), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["budget_s"] == TWENTY_MINUTES
    assert sum(row["chosen"] for row in plan["rows"]) == 1


@pytest.mark.usefixtures("fast_machine")
def test_a_plan_with_the_spacing_of_a_preset_shows_the_steps_that_fit(
    boxes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["plan", str(boxes), "--preset", "hippocampus-mri", "--device", "cpu"]
    assert main([*command, "--time-budget", "5m"]) == 0
    assert "its author has fixed spacing and patch size" in capsys.readouterr().out
    steps = []
    for budget in ("5m", "10m"):
        assert main([*command, "--json", "--time-budget", budget]) == 0
        plan = json.loads(capsys.readouterr().out)
        steps.append(plan["steps"])
    assert plan["budget_s"] == 600 and steps[1] > 1.5 * steps[0] > 0
    assert main(["plan", str(boxes / "nowhere"), "--preset", "hippocampus-mri"]) == 2


@pytest.mark.usefixtures("fast_machine")
def test_a_run_of_the_panel_is_planned_when_its_training_begins(boxes: Path) -> None:
    """The panel creates runs without PyTorch, so that it cannot measure the machine."""
    cases = replace(read_cases(boxes).with_validation(0.3, 0), labels={1: "Part"})
    steps = {"warmup_steps": 0, "joint_steps": 1, "final_steps": 1}
    config = TrainConfig.for_preset(MR, "quick", batch_size=3, **steps)
    run = RunFolder.create(boxes / "run", config, MR, cases)
    assert main(["train", str(run.path)]) == 0
    trained = RunFolder.open(run.path)
    assert trained.plan is not None
    assert trained.preset.spacing is not None
    assert trained.config == replace(config, generator="none", time_budget_s=None)


@pytest.mark.usefixtures("fast_machine")
def test_the_generator_that_the_user_chose_in_the_panel_is_trained(tmp_path: Path) -> None:
    """Also if it is the one that a preset without a plan has."""
    chosen = {"generator": TrainConfig.generator, "device": "cpu"}
    config = TrainConfig.for_preset(MR, **chosen)
    run = RunFolder.create(
        tmp_path / "run", config, MR, prepared().cases, requested=("standard", chosen)
    )
    planned, *_ = training_plan.plan_training(prepared(), *training_plan.settings_of(run))
    assert planned.generator == TrainConfig.generator and planned.warmup_steps > 0
    run.set_plan(planned, MR, None)
    assert run.requested is None, "a plan replaces what it was made from"


@pytest.mark.parametrize("effort", EFFORTS)
def test_effort_and_changes_of_a_run_of_an_earlier_panel_are_found(
    tmp_path: Path, effort: str
) -> None:
    changes = {"seed": 3, "time_budget_s": 90.0, "generator": "none"}
    config = TrainConfig.for_preset(MR, effort, **changes)
    cases = prepared().cases
    run = RunFolder.create(tmp_path / "run", config, MR, cases)
    assert training_plan.settings_of(run) == (effort, changes)
    run = RunFolder.create(tmp_path / "steps", replace(config, joint_steps=7), MR, cases)
    assert training_plan.settings_of(run)[0] is None
