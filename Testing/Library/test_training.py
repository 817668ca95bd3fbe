"""Whole training runs: reproducible, resumable, and they learn to segment."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_runs import phantom_cases, small_run

from GenSegLib.cases import Role
from GenSegLib.config import TrainConfig
from GenSegLib.datasets.image_io import read_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.evaluation.evaluate import evaluate_folders
from GenSegLib.events import EventLog, read_events
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.prediction.predict import predict_files
from GenSegLib.presets import load_preset
from GenSegLib.reports import write_report
from GenSegLib.reports.curves import read_history
from GenSegLib.runs import RunFolder, State
from GenSegLib.training import trainer
from GenSegLib.training.schedule import PHASES
from GenSegLib.training.train import train
from Testing.training_states import differing, final_state

pytestmark = pytest.mark.usefixtures("few_channels")

FAR_ABOVE_CHANCE = 0.5
UNET = {"channels": [16, 32, 64], "strides": [2, 2], "num_res_units": 2}


def trained(run: RunFolder) -> RunFolder:
    train(run, EventLog(run.events_file))
    return run


def metrics(run: RunFolder, name: str) -> list[float]:
    return [event[name] for event in read_events(run.events_file) if name in event]


def events_of(run: RunFolder, kind: str) -> list[dict[str, Any]]:
    return [event for event in read_events(run.events_file) if event["kind"] == kind]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """An uninterrupted training."""
    return trained(small_run(tmp_path_factory.mktemp("whole") / "run"))


def test_the_same_seed_gives_the_same_weights_bit_by_bit(whole: RunFolder, tmp_path: Path) -> None:
    again = trained(small_run(tmp_path / "again"))
    assert differing(final_state(whole)["learner"], final_state(again)["learner"]) == []


@pytest.mark.parametrize("step", [10, 20], ids=["in the joint phase", "in the final phase"])
def test_a_resumed_training_equals_an_uninterrupted_one(
    whole: RunFolder, tmp_path: Path, step: int
) -> None:
    halved = small_run(tmp_path / "halved")

    def stop_there(event: dict[str, Any]) -> None:
        if event["kind"] == "metrics" and event["step"] == step:
            halved.request_stop()

    train(halved, EventLog(halved.events_file, [stop_there]))
    assert halved.read_status()["state"] == State.STOPPED.value
    assert not halved.model.exists()
    train(halved, EventLog(halved.events_file), resume=True)
    assert halved.read_status()["state"] == State.FINISHED.value
    assert differing(final_state(whole)["learner"], final_state(halved)["learner"]) == []


def test_a_corrupted_checkpoint_is_skipped_with_a_warning(tmp_path: Path) -> None:
    run = trained(small_run(tmp_path / "run", checkpoint_interval_s=1e-3))
    newest = sorted(run.checkpoints.iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    train(run, EventLog(run.events_file), resume=True)
    texts = [event["text"] for event in read_events(run.events_file) if event["kind"] == "log"]
    assert any(f"{newest.name} is corrupted" in text for text in texts)
    assert run.read_status()["state"] == State.FINISHED.value


def test_only_hypergradients_change_the_upper_level(whole: RunFolder, tmp_path: Path) -> None:
    unfed = trained(small_run(tmp_path / "unfed", hypergradient="none"))
    assert metrics(whole, "gamma")[-1] != 1.0
    assert set(metrics(unfed, "gamma")) == {1.0}


@pytest.mark.parametrize("method", ["unroll", "neumann"])
def test_other_hypergradients_train_too(tmp_path: Path, method: str) -> None:
    run = trained(small_run(tmp_path / "run", hypergradient=method))
    assert metrics(run, "gamma")[-1] != 1.0


def test_without_a_generator_only_the_segmenter_trains(tmp_path: Path) -> None:
    run = trained(small_run(tmp_path / "run", generator="none"))
    assert metrics(run, "segmenter_loss") and not metrics(run, "generator_loss")
    assert not list(run.previews.glob("*/generated_*"))


def test_one_labeled_case_trains_without_validation(tmp_path: Path) -> None:
    run = trained(small_run(tmp_path / "run", phantom_cases(4).subset(1, 0)))
    assert not metrics(run, "validation_dice")
    assert ModelMetadata.load(run.model).cases == 1


def test_previews_show_generated_pairs_and_validation_cases(whole: RunFolder) -> None:
    names = {path.name for path in whole.previews.glob("*/*")}
    validation = whole.cases.of_role(Role.VALIDATE)[0].name
    assert {"generated_0_image.nii.gz", "generated_0_label.nii.gz", "real_0_image.nii.gz"} <= names
    assert f"validation_{validation}_prediction.nii.gz" in names


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A training that its time budget ends in every phase; its clock adds 1 s at every query."""
    many = dict.fromkeys(("warmup_steps", "joint_steps", "final_steps"), 100_000)
    run = small_run(tmp_path_factory.mktemp("timed") / "run", time_budget_s=300.0, **many)
    clock = SimpleNamespace(monotonic=count().__next__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "time", clock)
        train(run, EventLog(run.events_file), started=clock.monotonic())
    return run


def test_a_time_budget_ends_the_training(timed: RunFolder) -> None:
    assert timed.read_status()["state"] == State.FINISHED.value
    progress = events_of(timed, "progress")
    assert 0 < max(event["step"] for event in progress) < 1000
    assert progress[-1]["fraction"] == 1.0 and progress[-1]["remaining_s"] == 0.0
    assert ModelMetadata.load(timed.model).training.is_cut_short


def test_status_curves_report_and_model_count_the_steps_that_were_done(timed: RunFolder) -> None:
    last = {event["phase"]: event["step"] for event in events_of(timed, "progress")}
    warmup, joint, final = (last[phase] for phase in PHASES)
    done = warmup + joint + final
    assert timed.read_status()["step"] == done
    history = read_history(read_events(timed.events_file))
    ends = [(phase.name, phase.last) for phase in history.phases]
    assert ends == [("warm-up", warmup), ("joint", warmup + joint), ("final", done)]
    assert f"{done:,} steps" in write_report(timed).read_text(encoding="utf-8")
    assert ModelMetadata.load(timed.model).training.steps == joint + final


def test_a_time_budget_that_does_not_suffice_ends_with_the_first_case(
    tmp_path: Path,
) -> None:
    run = small_run(tmp_path / "run", time_budget_s=60.0)
    with pytest.raises(GenSegError, match=r"of 1 of 4 cases \(all: about \d+ s\) took"):
        train(run, EventLog(None), started=time.monotonic() - 65)


def test_a_time_budget_starts_with_the_command(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run", time_budget_s=60.0)
    with pytest.raises(GenSegError, match=r"took \d+ s, the whole time budget of 60 s; set a long"):
        train(run, EventLog(run.events_file), started=time.monotonic() - 90)


def test_a_run_without_training_cases_is_refused(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run")
    only_validation = run.cases.of_role(Role.VALIDATE)
    cases = type(run.cases)(only_validation, run.cases.labels, run.cases.modality)
    other = RunFolder.create(tmp_path / "other", run.config, run.preset, cases)
    with pytest.raises(GenSegError, match="no case has the role train"):
        trained(other)
    assert other.read_status()["state"] == State.FAILED.value


def test_a_short_training_on_real_hippocampi_learns_to_segment_them(
    tmp_path: Path, hippocampus: Path
) -> None:
    preset = replace(
        load_preset("hippocampus-mri"), patch_size=(24, 32, 24), network=UNET, segmenter="unet"
    )
    steps = {"warmup_steps": 2, "joint_steps": 8, "final_steps": 50, "validation_interval": 100}
    config = TrainConfig.for_preset(preset, segmenter_lr=6e-3, ema_decay=0.7, **steps)
    cases = read_cases(hippocampus).subset(5, 0).with_validation(0.3, 0)
    run = trained(RunFolder.create(tmp_path / "run", config, preset, cases))

    known = {f"{case.name}.nii.gz" for case in cases.cases}
    images = sorted(hippocampus.glob("imagesTr/*.nii.gz"))
    unseen = [path for path in images if path.name not in known][:4]
    predict_files(run.model, unseen, tmp_path / "predictions")
    scores = evaluate_folders(tmp_path / "predictions", hippocampus / "labelsTr", preset.labels)
    assert scores.mean("dice") > FAR_ABOVE_CHANCE


def test_the_model_records_the_range_of_label_volumes(whole: RunFolder) -> None:
    labels = [read_label(case.label) for case in whole.cases.cases if case.label]
    ranges = ModelMetadata.load(whole.model).volumes
    assert sorted(ranges) == [1, 2]
    for value, ends in ranges.items():
        volumes = [(one.array == value).sum() * np.prod(one.spacing) / 1000 for one in labels]
        assert ends == pytest.approx((min(volumes), max(volumes)), rel=0.01)
