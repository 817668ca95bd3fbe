"""The main job as a user calls it: train, stop, resume, predict, evaluate, synthesize."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from GenSegLib.cli import main
from GenSegLib.config import TrainConfig
from GenSegLib.data.layouts import read_cases
from GenSegLib.events import parse_line, read_events
from GenSegLib.files import read_json, write_json
from GenSegLib.images.image_io import on_same_grid, read_image, read_label, read_segment_names
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State

ROOT = Path(__file__).resolve().parents[2]
Capture = pytest.CaptureFixture[str]

TINY = {"warmup_steps": 2, "joint_steps": 4, "final_steps": 4, "validate_every": 2}


def genseg(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def tiny(**changes: object) -> list[str]:
    """A training of seconds."""
    settings = TINY | changes
    return [text for name, value in settings.items() for text in ("--set", f"{name}={value}")]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training") / "phantoms"
    assert genseg("phantom", folder, "--cases", 3, "--test", 2) == 0
    return folder


@pytest.fixture(scope="module")
def run(phantoms: Path) -> RunFolder:
    """A finished run."""
    out = phantoms.parent / "run"
    arguments = ("train", phantoms, "--preset", "hippocampus-mri", "--out", out, *tiny())
    assert genseg(*arguments) == 0
    return RunFolder.open(out)


def test_a_training_leaves_a_model_a_report_and_its_story(run: RunFolder) -> None:
    assert run.read_status()["state"] == State.FINISHED.value
    assert (run.model / "manifest.json").is_file()
    assert "<html" in run.report.read_text(encoding="utf-8")
    phases = {event["phase"] for event in read_events(run.events_file) if "phase" in event}
    assert phases == {"warm-up", "joint", "final"}
    assert not run.is_running()


def test_of_few_cases_a_step_sees_fewer_samples(run: RunFolder) -> None:
    assert (run.config.batch_size, run.config.generated_batch_size) == (1, 1)
    assert not run.stop_requested()


def test_a_finished_run_is_neither_trained_again_nor_replaced_unasked(
    run: RunFolder, phantoms: Path, capsys: Capture
) -> None:
    assert genseg("resume", run.path) == 0
    assert "is finished already" in capsys.readouterr().out
    assert genseg("train", run.path) == 2
    assert "add --resume to go on" in capsys.readouterr().err
    assert genseg("train", phantoms, "--preset", "hippocampus-mri", "--out", run.path) == 2
    assert "add --resume or --overwrite" in capsys.readouterr().err


def test_a_run_predicts_on_each_image_s_own_grid_and_names_the_labels(
    run: RunFolder, phantoms: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions"
    images = phantoms / "imagesTs"
    assert genseg("predict", run.path, images, "--out", out, "--format", "seg.nrrd") == 0
    for image in images.iterdir():
        label = out / image.name.replace(".nii.gz", ".seg.nrrd")
        assert on_same_grid(read_image(image), read_label(label))
        assert set(read_segment_names(label).values()) == {"Anterior", "Posterior"}


def test_a_broken_image_among_others_leaves_no_predictions_behind(
    run: RunFolder, phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"no image")
    good = phantoms / "imagesTs"
    assert genseg("predict", run.model, good, broken, "--out", tmp_path / "out") == 2
    assert "broken.nii.gz" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [broken]


def test_an_evaluation_goes_into_the_report_of_its_run(
    run: RunFolder, phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    predictions = tmp_path / "predictions"
    assert genseg("predict", run.model, phantoms / "imagesTs", "--out", predictions) == 0
    references = phantoms / "labelsTs"
    folders = ("--predictions", predictions, "--references", references)
    assert genseg("evaluate", *folders, "--report", run.path) == 0
    assert "Anterior" in capsys.readouterr().out
    scores = json.loads((run.path / "scores.json").read_text(encoding="utf-8"))
    assert [case["case"] for case in scores["cases"]] == [
        "hippocampus_test_001",
        "hippocampus_test_002",
    ]
    assert "Dice on test cases" in run.report.read_text(encoding="utf-8")


def test_a_run_synthesizes_as_many_pairs_as_asked(run: RunFolder, tmp_path: Path) -> None:
    out = tmp_path / "generated"
    assert genseg("synthesize", run.path, "--count", 2, "--out", out) == 0
    volumes = list(out.rglob("*.nii.gz"))
    assert len(volumes) == 4


def test_pairs_are_not_drawn_from_the_checkpoint_of_another_training(
    run: RunFolder, tmp_path: Path, capsys: Capture
) -> None:
    other = tmp_path / "other"
    shutil.copytree(run.path, other)
    asked = read_json(other / "config.json")
    asked["train"]["segmenter"] = "segresnet"
    write_json(other / "config.json", asked)
    assert genseg("synthesize", other, "--out", tmp_path / "generated") == 2
    assert "is not of this training" in capsys.readouterr().err
    assert not (tmp_path / "generated").exists()


def test_one_labeled_case_is_trained_without_validation_and_says_so(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    arguments = ("--preset", "hippocampus-mri", "--labeled", 1, "--out", out)
    assert genseg("train", phantoms, *arguments, *tiny(joint_steps=1, final_steps=1)) == 0
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "getting ready; cases to learn from: 1, held back: 0"
    assert "without validation" in told[1]
    assert len(RunFolder.open(out).cases.labeled) == 1


def test_patches_that_are_too_small_for_the_segmenter_are_refused_first(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, out = tmp_path / "small.json", tmp_path / "out"
    write_json(small, load_preset("hippocampus-mri").to_json() | {"patch_size": [8, 8, 8]})
    assert genseg("train", phantoms, "--preset", small, "--out", out) == 2
    assert "patches of 8 x 8 x 8 voxels" in capsys.readouterr().err
    assert not out.exists()


def test_a_program_follows_a_run_that_it_wrote_by_json_lines(
    phantoms: Path, tmp_path: Path, capsys: Capture
) -> None:
    config = TrainConfig(**TINY, generator="none")
    cases = read_cases(phantoms).with_validation(config.validation_share, config.seed)
    preset = load_preset("hippocampus-mri")
    run = RunFolder.create(tmp_path / "run", config, preset, cases)
    assert genseg("train", run.path, "--events", "jsonl") == 0
    events = [parse_line(line) for line in capsys.readouterr().out.splitlines()]
    assert None not in events
    states = [event["state"] for event in events if event and event["kind"] == "state"]
    assert (states[0], states[-1]) == ("running", "finished")
    assert events == read_events(run.events_file)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_stops_between_two_steps_and_can_be_resumed(
    phantoms: Path, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    command = [sys.executable, "-m", "GenSegLib", "train", str(phantoms), "--events", "jsonl"]
    command += ["--preset", "hippocampus-mri", "--no-generator", "--out", str(out)]
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
    shorten(out, joint_steps=stopped["step"] + 2)
    assert genseg("resume", out) == 0
    assert RunFolder.open(out).read_status()["state"] == State.FINISHED.value
    told = [event["text"] for event in read_events(out / "events.jsonl") if "text" in event]
    assert any("goes on from step" in text for text in told)


def shorten(run: Path, **steps: int) -> None:
    """Ask less of a run than it was made for."""
    asked = read_json(run / "config.json")
    write_json(run / "config.json", asked | {"train": asked["train"] | steps})
