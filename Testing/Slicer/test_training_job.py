"""Training runs in the background: stop, resume, reconnect and kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from GenSegSlicerLib.Library import pythonExecutable
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.Processes import killProcessTree
from GenSegSlicerLib.TrainingJob import TrainingJob
from panel_scenes import phantom_folder, tiny_preset
from small_trainings import ENDLESS, TINY, JobRecorder, small_run

from GenSegLib.errors import GenSegError
from GenSegLib.files import read_json, write_json
from GenSegLib.runs import RunFolder

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("fresh_settings")

# Another instance of Slicer, which resumes a run.
OTHER_SLICER = """
import sys
sys.path[:0] = ["Testing", "GenSegSlicer"]
import Host
host = Host.install()
from GenSegSlicerLib.Library import pythonExecutable
from GenSegSlicerLib.Logic import GenSegSlicerLogic
GenSegSlicerLogic().resume(sys.argv[1])
print("resumed", flush=True)
host.wait_until(lambda: False, 600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with spaces and non-ASCII characters; its training runs are killed afterwards."""
    path = tmp_path / "Läufe 2026"
    path.mkdir()
    yield path
    for config in path.rglob("config.json"):
        run = RunFolder(config.parent)
        if run.is_running():
            killProcessTree(int(run.read_status()["process"]))


def test_stopped_training_resumes_from_its_checkpoint(
    host: Any, scene: Any, folder: Path, tmp_path: Path
) -> None:
    logic = GenSegSlicerLogic()
    pairs = logic.importFolder(phantom_folder(folder, cases=3, test=0))
    settings = {**TINY, "generator": "none", "joint_steps": ENDLESS}
    job = logic.train(pairs, tiny_preset(folder), folder / "runs", settings=settings)
    watch = JobRecorder(host, job)
    watch.wait_until_phase("joint")
    with pytest.raises(GenSegError, match="A training is already running") as refused:
        logic.train(pairs, tiny_preset(folder), folder / "runs")
    assert str(job.runFolder) in str(refused.value)
    slicer.mrmlScene.Clear(0)
    host.process_events()
    assert job.state == "running"
    logic.stop()
    assert job.state == "stopping"
    watch.wait_until_ended()
    assert (job.state, watch.states[1:]) == ("stopped", ["running", "stopping", "stopped"])
    assert "use Resume to continue" in job.message
    run = RunFolder(job.runFolder)
    assert list(run.checkpoints.iterdir())
    assert not run.is_running()
    step = run.read_status()["step"]
    set_steps(run, joint_steps=step + 2)
    resumed = logic.resume(run.path)
    JobRecorder(host, resumed).wait_until_ended()
    assert resumed.state == "finished", resumed.message
    log = [event["text"] for event in resumed.events if event["kind"] == "log"]
    assert f"resuming at step {step} of {step + 6}" in log
    assert resumed.events[: len(job.events)] == job.events


@pytest.mark.skipif("PythonQt" in sys.modules, reason="starts another Slicer as desktop host")
def test_training_outlives_slicer_and_is_reconnected(host: Any, folder: Path) -> None:
    run = small_run(folder, generator="none", joint_steps=ENDLESS)
    script = ["-c", OTHER_SLICER, str(run.path)]
    slicer_process = subprocess.Popen([sys.executable, *script], cwd=ROOT, stdout=subprocess.PIPE)
    with slicer_process:
        assert slicer_process.stdout is not None
        assert slicer_process.stdout.readline() == b"resumed\n"
        slicer_process.send_signal(signal.SIGKILL)
    host.wait_until(run.is_running, 300)
    qt.QSettings().setValue("GenSegSlicer/runs", json.dumps([str(run.path)]))
    logic = GenSegSlicerLogic()
    job = logic.trainingJob
    assert job.runFolder == run.path
    JobRecorder(host, job).wait_until_phase("joint")
    with pytest.raises(GenSegError, match="A training is already running"):
        GenSegSlicerLogic().resume(small_run(folder / "second").path)
    assert logic.resume(run.path) is job
    reloaded = GenSegSlicerLogic()
    again = reloaded.trainingJob
    watch = JobRecorder(host, again)
    reloaded.stop()
    watch.wait_until_ended()
    assert again.state == "stopped"
    host.wait_until(lambda: not job.isActive, 10)
    assert job.state == "stopped"


@pytest.mark.skipif(os.name != "posix", reason="ends processes by POSIX signals")
def test_killed_training_is_reported_and_can_be_resumed(host: Any, folder: Path) -> None:
    run = small_run(folder, joint_steps=ENDLESS, checkpoint_interval_s=0.2)
    logic = GenSegSlicerLogic()
    for phase, advice in (("", "start it again"), ("joint", "last checkpoint")):
        job = logic.resume(run.path)
        watch = JobRecorder(host, job)
        if phase:
            watch.wait_until_phase(phase)
            watch.until(lambda: any(run.checkpoints.glob("*")))
        killProcessTree(job._process._process._process.pid)
        watch.wait_until_ended()
        assert job.state == "failed"
        assert "killed by the system" in job.message
        assert advice in job.message
        assert run.read_status()["state"] == "failed"
        assert logic.attach(run.path).message == job.message
    set_steps(run, joint_steps=3, final_steps=ENDLESS)
    job = logic.resume(run.path)
    watch = JobRecorder(host, job)
    watch.wait_until_phase("final")
    job.kill()  # by the user
    watch.wait_until_ended()
    assert job.state == run.read_status()["state"] == "stopped"
    assert "Training ended; use Resume to continue from the last checkpoint" in job.message


def test_stop_during_startup_is_not_lost(host: Any, folder: Path) -> None:
    run = small_run(folder, generator="none", joint_steps=ENDLESS)
    job = GenSegSlicerLogic().resume(run.path)
    job.stop()
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "stopped"
    assert run.read_status()["step"] < 100


@pytest.fixture
def writing(host: Any, scene: Any, folder: Path) -> tuple[GenSegSlicerLogic, TrainingJob]:
    """A training whose cases are being written."""
    logic = GenSegSlicerLogic()
    pairs = logic.importFolder(phantom_folder(folder, cases=3, test=0))
    job = logic.train(pairs, tiny_preset(folder), folder / "runs", settings=TINY)
    JobRecorder(host, job).until(lambda: job.fraction > 0)
    return logic, job


def test_stop_while_writing_cases_leaves_no_files(
    writing: tuple[GenSegSlicerLogic, TrainingJob], folder: Path
) -> None:
    logic, job = writing
    job.stop()
    assert job.state == "stopped"
    assert "nothing was saved" in job.message
    assert list((folder / "runs").iterdir()) == []
    assert logic.runs() == []


def test_scene_closed_while_writing_cases_is_reported(
    host: Any, writing: tuple[GenSegSlicerLogic, TrainingJob], folder: Path
) -> None:
    _, job = writing
    slicer.mrmlScene.Clear(0)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "failed"
    assert "The scene was closed" in job.message
    assert list((folder / "runs").iterdir()) == []


@pytest.mark.skipif("PythonQt" in sys.modules, reason="a running Slicer must not quit")
def test_quit_while_writing_cases_leaves_no_files(
    host: Any, writing: tuple[GenSegSlicerLogic, TrainingJob], folder: Path
) -> None:
    host.app.aboutToQuit.emit()
    assert list((folder / "runs").iterdir()) == []
    writing[1].stop()  # for the next test: this application goes on


def test_partial_run_folders_of_a_killed_slicer_are_removed(
    host: Any, scene: Any, folder: Path
) -> None:
    ended = subprocess.Popen([pythonExecutable(), "-c", ""])
    ended.wait(10)
    runs = folder / "runs"
    for name, process in ((".old.tmp", ended.pid), (".of another Slicer.tmp", os.getppid())):
        run = small_run(folder / name)
        status = {**run.read_status(), "process": process}
        write_json(run.path / "status.json", status)
        runs.mkdir(exist_ok=True)
        run.path.rename(runs / name)
    logic = GenSegSlicerLogic()
    pairs = logic.importFolder(phantom_folder(folder, cases=3, test=0))
    job = logic.train(pairs, tiny_preset(folder), runs, settings=TINY)
    JobRecorder(host, job).until(lambda: job.fraction > 0)
    job.stop()
    assert [path.name for path in runs.iterdir()] == [".of another Slicer.tmp"]


def test_training_on_another_computer_can_be_stopped_but_not_killed(
    host: Any, folder: Path
) -> None:
    run = small_run(folder)
    with run.lock():
        run.write_status("running", 3)
        write_json(run.path / "status.json", {**run.read_status(), "host": "the server"})
        logic = GenSegSlicerLogic()
        job = logic.attach(run.path)
        job.kill()
        assert "runs on the server" in job.message
        assert job.state == "running"
        logic.stop()
        assert run.stop_requested()
        run.write_status("stopped", 4)
    JobRecorder(host, job).wait_until_ended()
    assert (job.state, job.message) == (
        "stopped",
        "Stopped after step 4; use Resume to continue from there",
    )


def set_steps(run: RunFolder, **steps: int) -> None:
    """Change the number of steps of a run."""
    config = read_json(run.path / "config.json")
    write_json(run.path / "config.json", config | {"train": config["train"] | steps})


def test_one_training_at_a_time_whichever_logic_starts_it(
    host: Any, writing: tuple[GenSegSlicerLogic, TrainingJob], folder: Path
) -> None:
    _, job = writing
    with pytest.raises(GenSegError, match="A training is already running"):
        GenSegSlicerLogic().resume(small_run(folder / "second").path)
    job.stop()


def test_what_an_ended_run_says_is_true(host: Any, folder: Path) -> None:
    run = small_run(folder)
    run.checkpoints.mkdir()
    (run.checkpoints / ".last.pt.x.tmp").write_bytes(b"half-written")
    run.write_status("running", 0)
    job = GenSegSlicerLogic().attach(run.path)
    assert "use Resume to start it again" in job.message
    logic, deleted = GenSegSlicerLogic(), small_run(folder / "deleted")
    with deleted.lock():
        deleted.write_status("running", 3)
        job = logic.attach(deleted.path)
        shutil.rmtree(deleted.path)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "failed"
    assert "was not found: the run was deleted or moved" in job.message
