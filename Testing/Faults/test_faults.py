"""Training runs that are killed, corrupted by a power failure, or out of disk space."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_training import (
    SMALL,
    at_first_metrics,
    few_channels,
    final_learner,
    logs,
    tiny_run,
    trained,
)

from GenSegLib.cases import CaseSet
from GenSegLib.errors import GenSegError
from GenSegLib.run_lock import RunLock
from GenSegLib.runs import RunFolder, State
from GenSegLib.training.train import train
from GenSegLib.training.trainer import Trainer
from Testing.disks import mounted_disk
from Testing.training_states import differing


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk; skips if mounting is not permitted."""
    with mounted_disk(tmp_path / "disk", "64m") as path:
        yield path


@pytest.mark.skipif(os.name != "posix", reason="the training is forked")
def test_a_killed_training_is_resumed_with_the_same_weights(
    tmp_path: Path, cases: CaseSet, whole: dict[str, Any]
) -> None:
    run = tiny_run(tmp_path / "run", cases, **SMALL)
    for _ in range(3):
        train_until_killed(run, steps=3)
    trained(run, resume=True)
    assert run.read_status()["state"] == State.FINISHED.value
    assert differing(whole, final_learner(run)) == []


def train_until_killed(run: RunFolder, steps: int) -> None:
    """Train in a forked process that is killed after some steps."""
    process = os.fork()
    if process == 0:
        remaining, step = iter(range(steps)), Trainer._step

        def step_or_die(trainer: Trainer, *arguments: Any) -> dict[str, float]:
            if next(remaining, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return step(trainer, *arguments)

        Trainer._step = step_or_die  # type: ignore[method-assign]
        try:
            trained(run, resume=run.has_begun())
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(process, 0)[1]) == signal.SIGKILL


def corrupt(path: Path, how: str) -> None:
    """Leave of a file what a power failure may leave."""
    data = path.read_bytes()
    kept = data[: len(data) // 2] if how == "truncated" else data[:-40] + bytes(40)
    path.write_bytes(kept)


@pytest.mark.parametrize("how", ["truncated", "last 40 bytes zero"])
@pytest.mark.parametrize("name", ["checkpoints/step-00000011.pt", "events.jsonl", "status.json"])
def test_a_training_continues_with_the_same_weights_after_a_power_failure(
    run: RunFolder, whole: dict[str, Any], name: str, how: str
) -> None:
    corrupt(run.path / name, how)
    trained(run, resume=True)
    assert differing(whole, final_learner(run)) == []
    if name.startswith("checkpoints/"):
        assert any(Path(name).name in text for text in logs(run))


@pytest.mark.parametrize("how", ["truncated", "last 40 bytes zero"])
@pytest.mark.parametrize("name", ["config.json", "cases.json"])
def test_corrupted_settings_are_named_in_one_line(run: RunFolder, name: str, how: str) -> None:
    corrupt(run.path / name, how)
    with pytest.raises(GenSegError, match=rf"\A.*{re.escape(name)}.*\Z"):
        trained(RunFolder.open(run.path), resume=True)


def test_temporary_files_of_a_killed_training_are_removed(run: RunFolder) -> None:
    temporary = run.checkpoints / ".step-00000012.pt.x1.tmp", run.path / ".status.json.x1.tmp"
    for path in temporary:
        path.write_bytes(bytes(40))
    (run.path / ".model.x1.tmp").mkdir()
    (run.path / ".feedback.json.x1.tmp").touch()  # the panel may be writing it
    trained(run, resume=True)
    assert [path.name for path in run.path.rglob("*.tmp")] == [".feedback.json.x1.tmp"]


def test_a_training_that_fills_the_disk_can_be_resumed(
    disk: Path, halfway: Path, whole: dict[str, Any]
) -> None:
    shutil.copytree(halfway, disk / "run")
    run, filler = RunFolder(disk / "run"), disk / "filler"

    def fill() -> None:
        with (
            filler.open("wb", buffering=0) as stream,
            pytest.raises(OSError, match="No space left"),
        ):
            while True:
                stream.write(bytes(1 << 16))

    with few_channels(), pytest.raises(GenSegError, match="disk is full; free some space"):
        train(run, at_first_metrics(fill), resume=True)
    filler.unlink()
    assert differing(whole, final_learner(trained(run, resume=True))) == []


def test_a_training_on_a_disk_that_becomes_read_only_can_be_resumed(
    disk: Path, halfway: Path, whole: dict[str, Any]
) -> None:
    shutil.copytree(halfway, disk / "run")
    run = RunFolder(disk / "run")

    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)

    with few_channels(), pytest.raises(GenSegError, match="the disk is read-only; choose another"):
        train(run, at_first_metrics(lambda: remount("ro")), resume=True)
    remount("rw")
    (run.path / "lock").unlink()  # of this process, which is still alive
    assert differing(whole, final_learner(trained(run, resume=True))) == []


def test_a_suspended_process_stops_if_another_took_over(run: RunFolder) -> None:
    with RunLock(run.path / "lock") as suspended:
        suspended.require_held()
        (run.path / "lock").unlink()
        with RunLock(run.path / "lock") as other:
            with pytest.raises(GenSegError, match="is being trained by process"):
                suspended.require_held()
            suspended.__exit__()
            other.require_held()


@pytest.mark.parametrize("jump_s", [-86_400, 86_400])
def test_a_clock_change_does_not_affect_the_weights(
    run: RunFolder, whole: dict[str, Any], jump_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time

    def jump() -> None:
        monkeypatch.setattr(time, "time", lambda: now() + jump_s)

    with few_channels():
        train(run, at_first_metrics(jump), resume=True)
    assert differing(whole, final_learner(run)) == []
