"""Kills, damage, full disks and second processes: the checkpoint stays, and the weights too."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from damage_run import outcome
from kill_training import Counts, kill_until_finished
from tiny_training import (
    SMALL,
    at_first_metrics,
    few_channels,
    final_learner,
    tiny_run,
    trained,
)

from GenSegLib.cases import CaseSet
from GenSegLib.errors import GenSegError
from GenSegLib.events import EventLog
from GenSegLib.run_lock import RunLock
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.train import train
from Testing.disks import mounted_disk
from Testing.training_states import differing

linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="trainings are forked, and timed by /proc"
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; skips where none may be mounted."""
    with mounted_disk(tmp_path / "disk", "64m") as path:
        yield path


@linux
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_weights(
    tmp_path: Path, cases: CaseSet, whole: dict[str, Any]
) -> None:
    random.seed(0)
    counts = Counts()
    run = tiny_run(tmp_path / "run", cases, **SMALL)
    kill_until_finished(run, 1.0, 3, counts)
    assert counts.leftovers == 0
    assert run.read_status()["state"] == State.FINISHED.value
    assert counts.resumed_from_an_older_checkpoint == 0
    assert differing(whole, final_learner(run)) == []


@pytest.mark.parametrize("how", ["cut in half", "last 40 bytes zero"])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("checkpoints/step-00000011.pt", "the same weights, the damage said"),
        ("events.jsonl", "the same weights"),
        ("status.json", "the same weights"),
        ("config.json", "refused in one line that names it"),
        ("cases.json", "refused in one line that names it"),
    ],
)
def test_a_file_that_a_loss_of_power_damaged_is_found(
    run: RunFolder, whole: dict[str, Any], name: str, how: str, expected: str
) -> None:
    assert outcome(run.path, name, how, whole) == expected


def test_what_a_killed_training_had_begun_to_write_is_removed(run: RunFolder) -> None:
    begun = run.checkpoints / ".step-00000012.pt.x1.tmp", run.path / ".status.json.x1.tmp"
    for path in begun:
        path.write_bytes(bytes(40))
    (run.path / ".model.x1.tmp").mkdir()
    (run.path / ".feedback.json.x1.tmp").touch()  # of a clinician who is at work
    trained(run, resume=True)
    assert [path.name for path in run.path.rglob("*.tmp")] == [".feedback.json.x1.tmp"]


def test_a_damaged_status_is_that_of_a_run_that_broke_off(run: RunFolder) -> None:
    (run.path / "status.json").write_bytes(b'{"state": "fini')
    assert run.read_status()["state"] == State.FAILED.value


def test_a_full_disk_stops_the_training_and_room_lets_it_go_on(
    disk: Path, halfway: Path, whole: dict[str, Any]
) -> None:
    shutil.copytree(halfway, disk / "run")
    run, filler = RunFolder(disk / "run"), disk / "filler"

    def fill() -> None:
        with filler.open("wb") as stream, pytest.raises(OSError, match="No space left"):
            while True:
                stream.write(bytes(1 << 16))
                stream.flush()

    with few_channels(), pytest.raises(GenSegError, match="disk is full; make room"):
        train(run, at_first_metrics(fill), resume=True)
    filler.unlink()
    assert differing(whole, final_learner(trained(run, resume=True))) == []


def test_a_disk_that_becomes_read_only_stops_the_training_in_one_line(
    disk: Path, halfway: Path, whole: dict[str, Any]
) -> None:
    shutil.copytree(halfway, disk / "run")
    run = RunFolder(disk / "run")

    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)

    with few_channels(), pytest.raises(GenSegError, match="the disk is read-only; choose another"):
        train(run, at_first_metrics(lambda: remount("ro")), resume=True)
    remount("rw")
    (run.path / "lock").unlink()  # of this process, which unlike a real one lives on
    assert differing(whole, final_learner(trained(run, resume=True))) == []


def test_events_on_a_drive_that_is_away_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="its drive does not answer; connect it again"):
        EventLog(tmp_path / "away" / "events.jsonl").log("hello")


def test_a_second_process_is_refused(run: RunFolder) -> None:
    code = (
        "import sys, time; from pathlib import Path; from GenSegLib.runs import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock(): print(flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(run.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert first.stdin is not None and first.stdout is not None
    first.stdout.readline()
    with pytest.raises(GenSegError, match=f"is being trained by process {first.pid} on"):
        trained(run, resume=True)
    first.kill()
    first.communicate()
    with run.lock():
        assert run.is_running(), "the lock of a killed process is taken over"


def test_a_process_that_slept_while_another_took_over_stops(run: RunFolder) -> None:
    with RunLock(run.path / "lock") as slept:
        slept.require_held()
        (run.path / "lock").unlink()
        with RunLock(run.path / "lock") as other:
            with pytest.raises(GenSegError, match="is being trained by process"):
                slept.require_held()
            slept.__exit__()
            other.require_held()


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_clock_that_jumps_changes_no_weight(
    run: RunFolder, whole: dict[str, Any], jump_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time

    def jump() -> None:
        monkeypatch.setattr(time, "time", lambda: now() + jump_s)

    with few_channels():
        train(run, at_first_metrics(jump), resume=True)
    assert differing(whole, final_learner(run)) == []
