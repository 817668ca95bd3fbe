"""The run folder."""

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


def create(run: RunFolder, **options: bool) -> RunFolder:
    """Create another run in place of one."""
    cases = some_cases(run.path.parent)
    return RunFolder.create(run.path, TrainConfig(seed=9), PRESET, cases, **options)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", TrainConfig(seed=3), PRESET, some_cases(tmp_path))


def test_a_new_run_is_queued_and_keeps_its_settings(run: RunFolder, tmp_path: Path) -> None:
    opened = RunFolder.open(run.path)
    assert opened.config == TrainConfig(seed=3)
    assert opened.preset == PRESET
    assert opened.cases == some_cases(tmp_path)
    assert opened.read_status()["state"] == State.QUEUED.value
    assert not opened.is_running()
    assert not opened.has_begun()


def test_a_status_has_process_host_and_time(run: RunFolder) -> None:
    run.write_status(State.RUNNING, 12, phase="joint")
    status = run.read_status()
    assert (status["state"], status["step"], status["phase"]) == ("running", 12, "joint")
    assert (status["process"], status["host"]) == (os.getpid(), socket.gethostname())
    assert abs(status["heartbeat"] - time.time()) < 60


def test_a_damaged_status_is_a_failed_run(run: RunFolder) -> None:
    (run.path / "status.json").write_text("{")
    assert run.read_status()["state"] == State.FAILED.value


def test_a_stop_can_be_requested_and_cleared(run: RunFolder) -> None:
    run.request_stop()
    assert RunFolder.open(run.path).stop_requested()
    run.clear_stop()
    run.clear_stop()
    assert not run.stop_requested()


def test_opening_another_folder_says_how_to_create_a_run(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="is not a run folder; select a folder that"):
        RunFolder.open(tmp_path)


def test_a_run_of_another_version_is_rejected(run: RunFolder) -> None:
    config = run.path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"format_version": 99}))
    with pytest.raises(GenSegError, match="created by another version of GenSeg"):
        _ = RunFolder.open(run.path).config


def test_a_run_is_replaced_only_with_overwrite(run: RunFolder) -> None:
    run.write_status(State.FINISHED, 100)
    run.model.mkdir()
    with pytest.raises(GenSegError, match="already contains a run; resume it, or add --overwrite"):
        create(run)
    new = create(run, overwrite=True)
    assert new.config.seed == 9
    assert not new.has_begun()


def test_overwrite_rejects_a_run_with_files_of_the_user(run: RunFolder) -> None:
    (run.path / "notes.txt").write_text("mine")
    with pytest.raises(GenSegError, match=r"contains notes\.txt, which genseg did not write"):
        create(run, overwrite=True)
    assert (run.path / "notes.txt").is_file()


def test_overwrite_rejects_a_folder_that_genseg_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.jpg").write_text("mine")
    with pytest.raises(GenSegError, match="was not written by genseg"):
        create(RunFolder(tmp_path / "run"), overwrite=True)


def test_overwrite_rejects_a_run_that_is_being_trained(run: RunFolder) -> None:
    with run.lock(), pytest.raises(GenSegError, match="is being trained at the moment"):
        create(run, overwrite=True)


def test_a_locked_run_excludes_other_processes_until_it_is_released(run: RunFolder) -> None:
    held = f"is being trained by process {os.getpid()} on"
    with pytest.raises(RuntimeError), run.lock():
        assert run.is_running()
        with pytest.raises(GenSegError, match=held), RunFolder.open(run.path).lock():
            pytest.fail("the run is locked")
        assert run.is_running()
        raise RuntimeError
    assert not run.is_running()


def test_the_lock_of_a_process_that_ended_is_taken_over(run: RunFolder) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    owner = {"process": ended.pid, "start": 1.0, "host": socket.gethostname(), "token": "x"}
    (run.path / "lock").write_text(json.dumps(owner))
    assert not run.is_running()
    with run.lock():
        assert run.is_running()
    assert not list(run.path.glob("*lock*"))


@pytest.mark.parametrize("owner", ['{"process": 1, "host": "another-machine", "token": "x"}', ""])
def test_a_lock_that_was_touched_recently_is_respected(run: RunFolder, owner: str) -> None:
    (run.path / "lock").write_text(owner)
    with pytest.raises(GenSegError, match="is being trained by process"), run.lock():
        pytest.fail("another process trains this run, or is about to")
