"""Run folders on unreliable drives, with quotas, case-insensitive or unusual names."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from tiny_training import (
    SMALL,
    at_first_metrics,
    few_channels,
    final_learner,
    logs,
    tiny_cases,
    tiny_run,
    trained,
)

from GenSegLib.cases import CaseSet
from GenSegLib.data.layouts import read_cases
from GenSegLib.errors import DriveUnavailable, GenSegError
from GenSegLib.runs import RunFolder, State
from GenSegLib.training import recovery
from GenSegLib.training.train import train
from Testing.faulty_drives import FaultyDrive, faulty_drive
from Testing.training_states import differing


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[FaultyDrive]:
    with faulty_drive(tmp_path) as mounted:
        yield mounted


@pytest.fixture
def on_drive(drive: FaultyDrive, halfway: Path) -> RunFolder:
    """A copy of the stopped run on a drive that can fail."""
    shutil.copytree(halfway, drive.path / "run")
    return RunFolder(drive.path / "run")


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "DRIVE_TIMEOUT_S", 0.0)


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do something instead of sleeping while a training waits for its drive."""
    monkeypatch.setattr(recovery.time, "sleep", lambda seconds: action())


@pytest.mark.parametrize("fault", ["EIO", "ENOTCONN"])
def test_a_training_waits_for_a_drive_that_fails_temporarily(
    on_drive: RunFolder,
    drive: FaultyDrive,
    whole: dict[str, Any],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meanwhile(monkeypatch, lambda: drive.set_mode("ok"))
    with few_channels():
        train(on_drive, at_first_metrics(lambda: drive.set_mode(fault)), resume=True)
    assert differing(whole, final_learner(on_drive)) == []
    assert on_drive.read_status()["state"] == State.FINISHED.value


def test_a_drive_that_stays_unavailable_ends_the_training_with_its_checkpoint_intact(
    on_drive: RunFolder, drive: FaultyDrive, whole: dict[str, Any], no_patience: None
) -> None:
    with few_channels(), pytest.raises(DriveUnavailable, match="does not respond; reconnect it"):
        train(on_drive, at_first_metrics(lambda: drive.set_mode("EIO")), resume=True)
    drive.set_mode("ok")
    (on_drive.path / "lock").unlink()  # of this process, which is still alive
    assert differing(whole, final_learner(trained(on_drive, resume=True))) == []


def test_a_drive_that_hangs_only_delays_the_training(
    on_drive: RunFolder, drive: FaultyDrive, whole: dict[str, Any]
) -> None:
    def hang() -> None:
        drive.set_mode("hang")
        Timer(0.3, drive.set_mode, ["ok"]).start()

    with few_channels():
        train(on_drive, at_first_metrics(hang), resume=True)
    assert differing(whole, final_learner(on_drive)) == []


def test_a_folder_that_disappears_is_waited_for_and_not_recreated(
    run: RunFolder, tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "aside"

    def bring_back() -> None:
        assert not run.path.exists(), "it must not be recreated"
        aside.rename(run.path)

    meanwhile(monkeypatch, bring_back)
    with few_channels():
        train(run, at_first_metrics(lambda: run.path.rename(aside)), resume=True)
    assert differing(whole, final_learner(run)) == []


def test_nothing_is_written_into_an_empty_mount_point(
    run: RunFolder, tmp_path: Path, no_patience: None
) -> None:
    def unmount() -> None:
        run.path.rename(tmp_path / "aside")
        run.path.mkdir()

    with few_channels(), pytest.raises(DriveUnavailable, match="is gone; reconnect its drive"):
        train(run, at_first_metrics(unmount), resume=True)
    assert list(run.path.iterdir()) == []


def test_an_exceeded_quota_stops_the_training(
    on_drive: RunFolder, drive: FaultyDrive, whole: dict[str, Any]
) -> None:
    with (
        few_channels(),
        pytest.raises(GenSegError, match="your disk quota is used up"),
    ):
        train(on_drive, at_first_metrics(lambda: drive.set_mode("EDQUOT")), resume=True)
    drive.set_mode("ok")
    assert differing(whole, final_learner(trained(on_drive, resume=True))) == []


def test_a_training_works_on_a_case_insensitive_drive(
    tmp_path: Path, cases: CaseSet, whole: dict[str, Any]
) -> None:
    with faulty_drive(tmp_path, fold=True) as drive:
        run = trained(tiny_run(drive.path / "Run", cases, **SMALL))
        assert differing(whole, final_learner(run)) == []
        with pytest.raises(GenSegError, match="already contains a run"):
            tiny_run(drive.path / "RUN", cases)


def test_case_names_that_differ_only_in_capitalization_are_rejected(tmp_path: Path) -> None:
    """Their previews would be the same file on a case-insensitive drive."""
    tiny_cases(tmp_path, 2)
    for part in ("images", "labels"):
        (tmp_path / part / "case_1.nii.gz").rename(tmp_path / part / "CASE_0.nii.gz")
    with pytest.raises(GenSegError, match="several cases are named CASE_0 or case_0"):
        read_cases(tmp_path)


def test_long_paths_spaces_quotes_and_unicode_are_supported(
    halfway: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    folder = tmp_path / "Läufe 海馬 'a' \"b\" %s {x} $HOME" / ("x" * 200) / ("y" * 100)
    shutil.copytree(halfway, folder / "run")
    run = trained(RunFolder(folder / "run"), resume=True)
    assert len(str(run.path)) > 300
    assert differing(whole, final_learner(run)) == []
    assert logs(run)
