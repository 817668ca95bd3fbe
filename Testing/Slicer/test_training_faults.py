"""Errors before and during training runs are reported in one line and leave no partial files."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from disks import mounted_disk
from fake_library import fake_library
from GenSegSlicerLib import RunOutcome, TrainingProcess
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from panel_scenes import phantom_folder, tiny_preset
from small_trainings import TINY, JobRecorder, small_run

from GenSegLib.events import to_line
from GenSegLib.runs import RunFolder, State

pytestmark = pytest.mark.usefixtures("fresh_settings")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 400 kB; skips where none may be mounted."""
    with mounted_disk(tmp_path / "small disk", "400k") as path:
        yield path


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Replaces GenSegLib by a script; `run` is its run folder."""
    start = "import pathlib, sys\nrun = pathlib.Path(sys.argv[2])\n"
    return fake_library(TrainingProcess, tmp_path, monkeypatch, start)


def ended(host: Any, run: RunFolder) -> Any:
    """The job of a training that was started and has ended."""
    job = GenSegSlicerLogic().resume(run.path)
    JobRecorder(host, job).wait_until_ended()
    assert "\n" not in job.message
    return job


def trained(host: Any, outputs: Path, data: Path) -> Any:
    """The job of a training on pairs of the scene, which has ended."""
    logic = GenSegSlicerLogic()
    pairs = logic.importFolder(phantom_folder(data, cases=3, test=0))
    job = logic.train(pairs, tiny_preset(data), outputs, settings=TINY)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "failed"
    assert "\n" not in job.message
    return job


def test_missing_package_is_reported(
    host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = small_run(tmp_path / "päth with spaces")
    job = ended(host, run)
    assert job.state == "failed"
    assert "torch is not installed" in job.message
    assert "with Install... at the top of the GenSeg panel" in job.message
    assert "genseg: error" in job.details
    assert run.read_status()["state"] == "failed"


def test_bug_is_one_line_with_traceback_in_details(
    host: Any, tmp_path: Path, library: Callable[[str], None]
) -> None:
    library("raise ZeroDivisionError('über')")
    job = ended(host, small_run(tmp_path / "runs"))
    assert job.state == "failed"
    assert "exit code 1" in job.message
    assert "ZeroDivisionError: über" in job.details


def test_error_of_a_previous_attempt_is_not_reported_again(
    host: Any, tmp_path: Path, library: Callable[[str], None]
) -> None:
    run = small_run(tmp_path / "runs")
    run.events_file.write_text(to_line({"time": 1.0, "kind": "error", "text": "long ago"}) + "\n")
    run.write_status(State.FAILED, 0)
    library("sys.exit(3)")
    job = ended(host, run)
    assert "exit code 3" in job.message


def test_partial_and_invalid_event_lines_are_handled(
    host: Any, tmp_path: Path, library: Callable[[str], None]
) -> None:
    log = to_line({"time": 1.0, "kind": "log", "text": "Größe 海馬", "level": "info"}).encode()
    status = {"state": "finished", "step": 1}
    library(
        "import json, time\n"
        f"line = {log!r}\n"
        "garbage = b'\\xff\\x00\\n', b'{\"kind\": 3}\\n'\n"
        "for piece in (garbage[0], line[:50], line[50:], b'\\n', garbage[1], line):\n"
        "    with open(run / 'events.jsonl', 'ab') as file:\n"
        "        file.write(piece)\n"
        "    time.sleep(0.3)\n"
        f"(run / 'status.json').write_text(json.dumps({status}))\n"
    )
    job = ended(host, small_run(tmp_path / "runs"))
    assert job.state == "finished"
    assert [event["text"] for event in job.events] == ["Größe 海馬"]


def test_long_event_history_is_read_in_chunks(
    host: Any, tmp_path: Path, library: Callable[[str], None]
) -> None:
    event = {"time": 1.0, "kind": "metrics", "phase": "joint", "step": 5, "loss": 0.25}
    run = small_run(tmp_path / "runs")
    run.events_file.write_text(f"{to_line(event)}\n" * 20_000)
    library("pass")
    job = GenSegSlicerLogic().resume(run.path)
    known = [0]
    job.observers.add(lambda job: known.append(len(job.events)))
    JobRecorder(host, job).wait_until_ended()
    assert known[-1] == 20_000
    assert np.diff(known).max() < 500


def test_overdue_stop_is_reported_and_kill_offered(
    host: Any,
    tmp_path: Path,
    library: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from GenSegSlicerLib import TrainingJob

    monkeypatch.setattr(TrainingJob, "STOP_TIMEOUT_S", 0.5)
    library("import time; time.sleep(600)")
    job = GenSegSlicerLogic().resume(small_run(tmp_path / "runs").path)
    watch = JobRecorder(host, job)
    job.stop()
    assert not job.stopIsOverdue
    watch.until(lambda: job.stopIsOverdue)
    assert "you can end it now" in job.message
    job.kill()
    watch.wait_until_ended()
    assert job.state == "stopped"


def test_unwritable_output_folder_is_reported(host: Any, scene: Any, tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):  # the superuser may write everywhere but here
        folder = Path("/sys/genseg")
    if not sys.platform.startswith("linux") and os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    job = trained(host, folder, tmp_path)
    assert str(folder) in job.message
    assert "cannot be written" in job.message


def test_output_folder_that_is_a_file_is_reported(host: Any, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    job = trained(host, tmp_path / "file", tmp_path)
    assert "part of the path is a file" in job.message


def test_full_disk_before_training_leaves_no_files(
    host: Any, scene: Any, small_disk: Path, tmp_path: Path
) -> None:
    job = trained(host, small_disk / "runs", tmp_path)
    assert "disk" in job.message
    assert "full" in job.message
    assert job.runFolder is None
    assert list((small_disk / "runs").iterdir()) == []


def test_full_disk_during_training_is_reported(host: Any, small_disk: Path, tmp_path: Path) -> None:
    run = small_run(tmp_path / "runs")
    moved = small_disk / "run"
    moved.mkdir()
    for path in run.path.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    job = ended(host, RunFolder(moved))
    assert job.state == "failed"
    assert "disk" in job.message
    assert "full" in job.message


def test_full_disk_is_detected_without_a_status(
    host: Any,
    tmp_path: Path,
    library: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library("sys.exit(1)")
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr(RunOutcome.shutil, "disk_usage", lambda path: usage)
    job = ended(host, small_run(tmp_path / "runs"))
    assert "the disk is full; free disk space and use Resume" in job.message


def test_invalid_pair_is_reported(host: Any, scene: Any, tmp_path: Path) -> None:
    logic = GenSegSlicerLogic()
    pairs = logic.importFolder(phantom_folder(tmp_path, cases=3, test=0))
    slicer.util.arrayFromVolume(pairs[1].volumeNode)[0, 0, 0] = np.nan
    job = logic.train(pairs, tiny_preset(tmp_path), tmp_path / "runs", settings=TINY)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "failed"
    assert pairs[1].volumeNode.GetName() in job.message
    assert list((tmp_path / "runs").iterdir()) == []


def test_queued_run_can_be_resumed(host: Any, tmp_path: Path) -> None:
    run = small_run(tmp_path / "runs")
    job = GenSegSlicerLogic().attach(run.path)
    assert not job.isActive
    assert "use Resume to start it" in job.message
    assert run.read_status()["state"] == "queued"
