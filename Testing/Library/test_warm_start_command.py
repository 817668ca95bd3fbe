"""Training runs that start from a model: plans, and `genseg train --from`."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import genseg
from small_runs import phantom_cases, small_preset, small_run
from tiny_models import save_tiny_model
from warm_starts import LABELS, TINY

from GenSegLib import commands
from GenSegLib.cases import Role
from GenSegLib.cli import build_parser
from GenSegLib.commands.training_cases import prepare_cases
from GenSegLib.events import read_events
from GenSegLib.files import read_json, write_json
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.models.initial_model import (
    FOLDER,
    WarmStart,
)
from GenSegLib.models.provenance import inherited_settings, with_provenance
from GenSegLib.models.training_record import TrainingRecord
from GenSegLib.models.weights import load_segmenter
from GenSegLib.planning.continuation import plan_misfit
from GenSegLib.runs import RunFolder
from GenSegLib.training.session import load_session

pytest_plugins = ["warm_starts"]
pytestmark = pytest.mark.usefixtures("few_channels")

Capture = pytest.CaptureFixture[str]


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


def test_a_plan_in_pixels_suits_2d_images_alone() -> None:
    volumes = prepare_cases(phantom_cases(), small_preset(), 0.25, 0).fingerprint
    slices = {"spatial_dims": 2, "spacing": (1.0, 1.0), "patch_size": (32, 32)}
    in_mm = replace(small_preset(), **slices)
    in_px = replace(in_mm, unit="px")
    x_rays = replace(volumes, shape=(64.0, 64.0, 1.0), slice_axis=2)
    photos = replace(x_rays, unit="px")
    assert "in px, those of the images in mm" in plan_misfit(volumes, in_px, ())
    assert "in mm, those of the images in px" in plan_misfit(photos, in_mm, ())
    for fingerprint, preset in ((volumes, in_mm), (photos, in_px), (x_rays, in_px)):
        assert plan_misfit(fingerprint, preset, ()) == ""


def test_a_plan_in_pixels_is_compared_with_the_pixels_of_images_in_mm() -> None:
    """A coarse bone scan of 4 mm has pixels like any other picture, and a fine X-ray many."""
    volumes = prepare_cases(phantom_cases(), small_preset(), 0.25, 0).fingerprint
    in_px = replace(
        small_preset(), spatial_dims=2, spacing=(1.0, 1.0), patch_size=(32, 32), unit="px"
    )
    flat = replace(volumes, shape=(64.0, 64.0, 1.0), slice_axis=2)
    bones = replace(flat, spacing=(4.0, 4.0, 1.0), classes={})
    assert plan_misfit(bones, in_px, ()) == ""
    wide = replace(flat.classes[1], extent_mm=(40.0, 40.0, 1.0))
    x_rays = replace(flat, spacing=(0.2, 0.2, 1.0), classes={1: wide})
    text = "its patches of 32 px show little of structures of 200 px"
    assert text in plan_misfit(x_rays, in_px, {1})


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
    assert 7 * run.config.joint_steps == 3 * run.config.final_steps > 600
    assert inherited_settings(with_provenance(TrainingRecord(), run)) == record.settings
    learner = load_session(run).learner
    assert learner.arguments == {**metadata.network_args, "out_channels": 3}


# ---- the command line


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The list of the phantoms."""
    return write_list(tmp_path_factory.mktemp("cases"))


def write_list(folder: Path, count: int = 4) -> Path:
    write_json(folder / "cases.json", phantom_cases(count).to_json())
    return folder / "cases.json"


def options(**changes: object) -> list[str]:
    settings = {"joint_steps": 4, "final_steps": 4, **changes}
    return [text for name, value in settings.items() for text in ("--set", f"{name}={value}")]


def test_a_generator_that_was_removed_is_not_inherited() -> None:
    record = TrainingRecord(settings={"generator": "warped", "batch_size": 1})
    assert inherited_settings(record) == {"batch_size": 1}


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


@pytest.mark.parametrize("count", [4, 5, 7])
def test_validation_cases_are_those_that_the_model_has_not_seen(
    count: int, first: RunFolder, tmp_path: Path
) -> None:
    arguments = write_list(tmp_path, count), "--from", first.path, "--out", tmp_path / "run"
    names = {case.name for case in prepared(*arguments).cases.of_role(Role.VALIDATE)}
    learned = {case.name for case in first.cases.labeled}
    assert names
    assert count == len(learned) or not names & learned


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


def test_the_panel_logs_why_a_model_does_not_suit(first: RunFolder, tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", replace(phantom_cases(), modality="CT"))
    prepared(run.path, "--from", first.model)
    logged = [(event["level"], event["text"]) for event in read_events(run.events_file)]
    reason = "does not suit these cases (it is for MR, the cases are CT)"
    assert any(level == "warning" and reason in text for level, text in logged)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--from", "FIRST", "--preset", "liver-ct"), "--preset comes from the model of --from"),
        (("--from", "FIRST", "--segmenter", "unet"), "--segmenter comes from the model"),
        (("--from", "FIRST", "--encoder", "scratch"), "--encoder comes from the model"),
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
    assert "1 channel, but the model tiny is for 2, so that its weights" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
