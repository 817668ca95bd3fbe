"""The workflow on the command line: train, stop, resume, predict, evaluate, synthesize."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import genseg

from GenSegLib.commands import training_job
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.image_io import (
    on_same_grid,
    read_image,
    read_label,
    read_segment_names,
    write_label,
)
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.events import parse_line, read_events
from GenSegLib.files import read_json, write_json
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]

TINY = {"warmup_steps": 2, "joint_steps": 4, "final_steps": 4, "validation_interval": 2}


def tiny(**changes: object) -> list[str]:
    """Options of a training of a few steps."""
    settings = TINY | changes
    return [text for name, value in settings.items() for text in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "phantoms"
    assert genseg("phantom", folder, "--cases", 3, "--test", 2) == 0
    return folder


@pytest.fixture(scope="module")
def preset(phantoms: Path) -> Path:
    """The hippocampus preset with small patches and a small network."""
    values = load_preset("hippocampus-mri").to_json()
    path = phantoms.parent / "small.json"
    network = {"channels": [4, 8], "strides": [2], "num_res_units": 1}
    changes = {"patch_size": [16, 24, 16], "segmenter": "unet", "network": network}
    write_json(path, values | changes)
    return path


@pytest.fixture(scope="module")
def run(phantoms: Path, preset: Path) -> RunFolder:
    """A finished run."""
    out = phantoms.parent / "run"
    assert genseg("train", phantoms, "--preset", preset, "--out", out, *tiny()) == 0
    return RunFolder.open(out)


def test_a_training_writes_a_model_a_report_and_events(run: RunFolder) -> None:
    assert run.read_status()["state"] == State.FINISHED.value
    assert (run.model / "manifest.json").is_file()
    assert "<html" in run.report.read_text(encoding="utf-8")
    phases = {event["phase"] for event in read_events(run.events_file) if "phase" in event}
    assert phases == {"warm-up", "joint", "final"}
    assert not run.is_running()
    assert (run.config.batch_size, run.config.generated_batch_size) == (1, 1)  # few cases


def test_a_finished_run_is_neither_trained_again_nor_replaced(
    run: RunFolder, phantoms: Path, preset: Path, capsys: Capture
) -> None:
    assert genseg("resume", run.path) == 0
    assert "is already finished" in capsys.readouterr().out
    assert genseg("train", run.path) == 2
    assert "continue it with: genseg resume" in capsys.readouterr().err
    assert genseg("train", phantoms, "--preset", preset, "--out", run.path) == 2
    assert "resume it, or add --overwrite" in capsys.readouterr().err


def test_predictions_have_the_grid_of_their_image_and_label_names(
    run: RunFolder, phantoms: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions"
    images = phantoms / "imagesTs"
    assert genseg("predict", run.path, images, "--out", out, "--format", "seg.nrrd") == 0
    for image in images.iterdir():
        label = out / image.name.replace(".nii.gz", ".seg.nrrd")
        assert on_same_grid(read_image(image), read_label(label))
        assert set(read_segment_names(label).values()) == {"Anterior", "Posterior"}


def test_a_damaged_image_is_skipped_and_the_exit_code_is_2(
    run: RunFolder, phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    damaged, out = tmp_path / "damaged.nii.gz", tmp_path / "out"
    damaged.write_bytes(b"no image")
    assert genseg("predict", run.model, damaged, phantoms / "imagesTs", "--out", out) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "1 of 3 images could not be segmented, see above (damaged.nii.gz); 2" in message
    assert len(list(out.glob("*.nii.gz"))) == 2
    assert genseg("predict", run.model, damaged, "--out", tmp_path / "other") == 2
    assert "not a NIfTI file" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_pictures_beside_volumes_are_left_out_with_a_warning(
    run: RunFolder, phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    images = tmp_path / "images"
    shutil.copytree(phantoms / "imagesTs", images)
    for name in ("report.png", "screenshot.png"):
        (images / name).touch()
    assert genseg("predict", run.model, images, "--out", tmp_path / "out") == 0
    said = capsys.readouterr().err
    assert f"{images}: 2 raster images, such as report.png skipped, because the folder" in said


def test_an_evaluation_is_added_to_the_report(
    run: RunFolder, phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    predictions = tmp_path / "predictions"
    assert genseg("predict", run.model, phantoms / "imagesTs", "--out", predictions) == 0
    folders = ("--predictions", predictions, "--references", phantoms / "labelsTs")
    assert genseg("evaluate", *folders, "--report", run.path) == 0
    assert "Anterior" in capsys.readouterr().out
    scores = json.loads((run.path / "scores.json").read_text(encoding="utf-8"))
    names = [case["case"] for case in scores["cases"]]
    assert names == ["hippocampus_test_001", "hippocampus_test_002"]
    assert names[0] in run.report.read_text(encoding="utf-8")


def test_pairs_are_synthesized(run: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "generated"
    assert genseg("synthesize", run.path, "--count", 2, "--out", out) == 0
    cases = read_cases(out)
    assert [case.name for case in cases.cases] == ["generated_0000", "generated_0001"]
    assert len(cases.labeled) == 2


def test_pairs_are_not_synthesized_from_the_checkpoint_of_another_training(
    run: RunFolder, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    change_settings(other, segmenter="segresnet")
    assert genseg("synthesize", other, "--out", tmp_path / "generated") == 2
    assert not (tmp_path / "generated").exists()


def test_a_single_labeled_case_is_trained_without_validation(
    phantoms: Path, preset: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    arguments = ("--preset", preset, "--labeled", 1, "--out", out)
    assert genseg("train", phantoms, *arguments, *tiny(joint_steps=1, final_steps=1)) == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "preparing cases: 1 for training, 0 for validation"
    assert "the model is not validated" in lines[1]
    assert len(RunFolder.open(out).cases.labeled) == 1


@pytest.mark.parametrize("generator", ["searchable", "none"])
def test_cases_with_empty_labels_are_trained(
    phantoms: Path, preset: Path, tmp_path: Path, capsys: Capture, generator: str
) -> None:
    """Patients without a lesion are cases to learn from."""
    data = tmp_path / "data"
    shutil.copytree(phantoms, data)
    path = read_cases(data).cases[0].label
    assert path is not None
    label = read_label(path)
    label.array[:] = 0
    write_label(path, label)
    out = tmp_path / "run"
    options = ("--preset", preset, "--generator", generator, "--out", out, *tiny())
    assert genseg("train", data, *options) == 0
    assert "the label is empty" in capsys.readouterr().err
    assert len(RunFolder.open(out).cases.labeled) == 3


def test_patches_that_are_too_small_for_the_segmenter_are_rejected(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    small, out = tmp_path / "small.json", tmp_path / "out"
    write_json(small, load_preset("hippocampus-mri").to_json() | {"patch_size": [8, 8, 8]})
    assert genseg("train", phantoms, "--preset", small, "--out", out) == 2
    assert "8 x 8 x 8" in capsys.readouterr().err
    assert not out.exists()


def run_of_program(folder: Path, phantoms: Path, preset: Path, **changes: int) -> RunFolder:
    """A run folder as the panel creates it."""
    loaded = load_preset(preset)
    config = TrainConfig(**TINY | changes, generator="none", segmenter=loaded.segmenter)
    cases = read_cases(phantoms).with_validation(config.validation_fraction, config.seed)
    return RunFolder.create(folder, config, loaded, cases)


def test_a_program_trains_a_run_folder_and_reads_json_lines(
    phantoms: Path, preset: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = run_of_program(tmp_path / "run", phantoms, preset)
    assert genseg("train", run.path, "--events", "jsonl") == 0
    events = [parse_line(line) for line in capsys.readouterr().out.splitlines()]
    assert None not in events
    states = [event["state"] for event in events if event and event["kind"] == "state"]
    assert (states[0], states[-1]) == ("running", "finished")
    assert events == read_events(run.events_file)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_stops_after_its_step_and_can_be_resumed(
    phantoms: Path, preset: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "GenSegLib", "train", str(phantoms), "--events", "jsonl"]
    command += ["--preset", str(preset), "--no-generator", "--out", str(out)]
    command += tiny(joint_steps=100_000)
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        event = parse_line(line)
        if event is not None and event["kind"] == "progress":
            process.send_signal(number)
            break
    output, error = process.communicate(timeout=120)
    assert process.returncode == 0, error.decode()
    states = [e["state"] for e in map(parse_line, output.splitlines()) if e and "state" in e]
    assert states[-2:] == ["stopping", "stopped"]
    stopped = RunFolder.open(out).read_status()
    assert stopped["state"] == State.STOPPED.value
    assert not RunFolder.open(out).is_running()
    change_settings(out, joint_steps=stopped["step"] + 2)
    assert genseg("resume", out) == 0
    assert RunFolder.open(out).read_status()["state"] == State.FINISHED.value


def test_an_interrupt_during_the_imports_of_resume_stops_the_training(
    phantoms: Path, preset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of_program(tmp_path / "run", phantoms, preset, joint_steps=100_000)
    monkeypatch.setattr(
        training_job, "_log_cases", lambda run, events: signal.raise_signal(signal.SIGINT)
    )
    assert genseg("resume", run.path) == 0
    assert run.read_status()["state"] == State.STOPPED.value
    assert not run.stop_requested()


def change_settings(run: Path, **changes: object) -> None:
    """Change settings of an existing run."""
    settings = read_json(run / "config.json")
    write_json(run / "config.json", settings | {"train": settings["train"] | changes})
