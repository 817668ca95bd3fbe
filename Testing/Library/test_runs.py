"""The run folder and its lock."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder, State

PRESET = load_preset("hippocampus-mri")


def some_cases(folder: Path) -> CaseSet:
    image, label = folder / "a.nii.gz", folder / "a_label.nii.gz"
    cases = (Case("a", image, label, Role.TRAIN), Case("b", folder / "b", None, Role.UNLABELED))
    return CaseSet(cases, {1: "Anterior", 2: "Posterior"}, "MR")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", TrainConfig(seed=3), PRESET, some_cases(tmp_path))


def write_lock(run: RunFolder, process: int, host: str, age_s: float = 0.0) -> Path:
    lock = run.path / "lock"
    lock.write_text(json.dumps({"process": process, "host": host, "token": "x"}))
    os.utime(lock, (time.time() - age_s,) * 2)
    return lock


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_run_gives_back_what_was_asked_of_it(run: RunFolder, tmp_path: Path) -> None:
    opened = RunFolder.open(run.path)
    assert opened.config == TrainConfig(seed=3)
    assert opened.preset == PRESET
    assert opened.cases == some_cases(tmp_path)


def test_a_new_run_is_queued(run: RunFolder) -> None:
    assert run.read_status()["state"] == State.QUEUED.value
    assert not run.is_running()
    assert not run.has_begun()


def test_a_status_comes_back_with_process_and_heartbeat(run: RunFolder) -> None:
    run.write_status(State.RUNNING, 12, phase="joint")
    status = run.read_status()
    assert (status["state"], status["step"], status["phase"]) == ("running", 12, "joint")
    assert (status["process"], status["host"]) == (os.getpid(), socket.gethostname())
    assert abs(status["heartbeat"] - time.time()) < 60


def test_a_stop_is_asked_for_seen_and_forgotten(run: RunFolder) -> None:
    run.request_stop()
    assert RunFolder.open(run.path).stop_requested()
    run.clear_stop()
    run.clear_stop()
    assert not run.stop_requested()


def test_opening_what_is_no_run_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="is no run folder; make one with: genseg train"):
        RunFolder.open(tmp_path)


def test_a_run_of_another_version_is_refused(run: RunFolder) -> None:
    config = run.path / "config.json"
    config.write_text(
        json.dumps(json.loads(config.read_text(encoding="utf-8")) | {"format_version": 99})
    )
    with pytest.raises(GenSegError, match="made by another version of GenSeg"):
        _ = RunFolder.open(run.path).config


def test_a_run_in_the_place_of_a_run_is_refused(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="holds a run already; add --resume or --overwrite"):
        RunFolder.create(run.path, TrainConfig(), PRESET, some_cases(tmp_path))


def test_overwrite_replaces_a_run(run: RunFolder, tmp_path: Path) -> None:
    run.write_status(State.FINISHED, 100)
    run.model.mkdir()
    new = RunFolder.create(run.path, TrainConfig(seed=9), PRESET, some_cases(tmp_path), True)
    assert new.config.seed == 9
    assert not new.has_begun()


def test_overwrite_spares_a_run_into_which_a_user_put_something(
    run: RunFolder, tmp_path: Path
) -> None:
    (run.path / "notes.txt").write_text("mine")
    with pytest.raises(GenSegError, match=r"holds notes\.txt, which genseg did not write"):
        RunFolder.create(run.path, TrainConfig(), PRESET, some_cases(tmp_path), overwrite=True)
    assert (run.path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert run.config.seed == 3


def test_overwrite_spares_a_folder_that_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_text("mine")
    with pytest.raises(GenSegError, match="was not made by genseg"):
        RunFolder.create(
            tmp_path / "photos", TrainConfig(), PRESET, some_cases(tmp_path), overwrite=True
        )
    assert (tmp_path / "photos" / "a.jpg").read_text(encoding="utf-8") == "mine"


def test_overwrite_spares_a_run_that_is_being_trained(run: RunFolder, tmp_path: Path) -> None:
    with run.lock(), pytest.raises(GenSegError, match="is being trained right now"):
        RunFolder.create(run.path, TrainConfig(), PRESET, some_cases(tmp_path), overwrite=True)


def test_a_locked_run_is_running_and_keeps_others_out(run: RunFolder) -> None:
    with run.lock():
        assert run.is_running()
        told = f"is being trained by process {os.getpid()} on"
        with pytest.raises(GenSegError, match=told), RunFolder.open(run.path).lock():
            pytest.fail("a second one must not get in")
        assert run.is_running()
    assert not run.is_running()
    with run.lock():
        assert run.is_running()


def test_a_lock_is_given_back_after_a_fault(run: RunFolder) -> None:
    with pytest.raises(RuntimeError), run.lock():
        raise RuntimeError
    assert not run.is_running()


def test_the_lock_of_a_process_that_ended_is_taken_over(run: RunFolder) -> None:
    write_lock(run, ended_process(), socket.gethostname())
    assert not run.is_running()
    with run.lock():
        assert run.is_running()
    assert not list(run.path.glob("*lock*"))


def test_the_lock_of_another_machine_holds_while_its_heart_beats(run: RunFolder) -> None:
    write_lock(run, 1, "another-machine", age_s=30)
    with pytest.raises(GenSegError, match="by process 1 on another-machine"), run.lock():
        pytest.fail("the other machine trains this run")


def test_a_lock_that_is_being_written_is_respected(run: RunFolder) -> None:
    (run.path / "lock").write_text("")
    with pytest.raises(GenSegError, match="is being trained"), run.lock():
        pytest.fail("somebody is about to train this run")
