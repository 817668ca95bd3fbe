"""What goes wrong around a training: one line says it, and nothing half-done stays behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disks import mounted_disk
from fake_library import fake_library
from GenSegSlicerLib import DetachedProcess, RunEnding
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
    """A function that puts a script in the place of GenSegLib; `run` is its run folder."""
    start = "import pathlib, sys\nrun = pathlib.Path(sys.argv[2])\n"
    return fake_library(DetachedProcess, tmp_path, monkeypatch, start)


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


def test_a_missing_package_is_named_with_what_to_do(
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
    assert "torch" in job.message
    assert "install" in job.message
    assert "genseg: error" in job.details
    assert run.read_status()["state"] == "failed"


def test_a_bug_is_one_line_and_its_traceback_is_in_the_details(
    host: Any, tmp_path: Path, library: Callable[[str], None]
) -> None:
    library("raise ZeroDivisionError('über')")
    job = ended(host, small_run(tmp_path / "runs"))
    assert job.state == "failed"
    assert "exit code 1" in job.message
    assert "ZeroDivisionError: über" in job.details


def test_a_fault_of_an_earlier_attempt_is_not_told_again(
    host: Any, tmp_path: Path, library: Callable[[str], None]
) -> None:
    run = small_run(tmp_path / "runs")
    run.events_file.write_text(to_line({"time": 1.0, "kind": "error", "text": "long ago"}) + "\n")
    run.write_status(State.FAILED, 0)
    library("sys.exit(3)")
    job = ended(host, run)
    assert "exit code 3" in job.message


def test_events_cut_in_a_line_garbage_and_foreign_letters_do_no_harm(
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


def test_a_long_story_is_read_in_slices(
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


def test_a_training_that_does_not_stop_in_time_is_said_to_be_overdue(
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
    assert "can be ended at once" in job.message
    job.kill()
    watch.wait_until_ended()
    assert job.state == "stopped"


def test_an_output_folder_that_cannot_be_written_is_said_in_one_line(
    host: Any, scene: Any, tmp_path: Path
) -> None:
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


def test_an_output_folder_that_is_a_file_is_said_in_one_line(
    host: Any, scene: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    job = trained(host, tmp_path / "file", tmp_path)
    assert "a part of the path is a file" in job.message


def test_a_disk_that_is_full_before_the_training_leaves_nothing_behind(
    host: Any, scene: Any, small_disk: Path, tmp_path: Path
) -> None:
    job = trained(host, small_disk / "runs", tmp_path)
    assert "disk" in job.message
    assert "full" in job.message
    assert job.runFolder is None
    assert list((small_disk / "runs").iterdir()) == []


def test_a_disk_that_fills_up_during_the_training_is_said_in_one_line(
    host: Any, small_disk: Path, tmp_path: Path
) -> None:
    run = small_run(tmp_path / "runs")
    moved = small_disk / "run"
    moved.mkdir()
    for path in run.path.iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    job = ended(host, RunFolder(moved))
    assert job.state == "failed"
    assert "disk" in job.message
    assert "full" in job.message


def test_where_even_the_reason_finds_no_room_the_disk_is_looked_at(
    host: Any,
    tmp_path: Path,
    library: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    library("sys.exit(1)")
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr(RunEnding.shutil, "disk_usage", lambda path: usage)
    job = ended(host, small_run(tmp_path / "runs"))
    assert "the disk is full; make room, then resume" in job.message


def test_a_pair_that_cannot_be_learned_from_is_named(host: Any, scene: Any, tmp_path: Path) -> None:
    logic = GenSegSlicerLogic()
    pairs = logic.importFolder(phantom_folder(tmp_path, cases=3, test=0))
    pairs[1].segmentationNode.GetSegmentation().RemoveAllSegments()
    job = logic.train(pairs, tiny_preset(tmp_path), tmp_path / "runs", settings=TINY)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "failed"
    assert pairs[1].segmentationNode.GetName() in job.message
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_that_was_never_begun_is_offered_to_be_resumed(host: Any, tmp_path: Path) -> None:
    run = small_run(tmp_path / "runs")
    job = GenSegSlicerLogic().attach(run.path)
    assert not job.isActive
    assert "Resume starts it" in job.message
    assert run.read_status()["state"] == "queued"
