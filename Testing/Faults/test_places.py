"""Where runs lie: drives that go away and come back, quotas, capitals, locales and odd names."""

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
from GenSegLib.errors import DriveAway, GenSegError
from GenSegLib.runs import RunFolder, State
from GenSegLib.training import setbacks
from GenSegLib.training.train import train
from Testing.faulty_drives import FaultyDrive, faulty_drive
from Testing.training_states import differing


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[FaultyDrive]:
    with faulty_drive(tmp_path) as mounted:
        yield mounted


@pytest.fixture
def away(drive: FaultyDrive, halfway: Path) -> RunFolder:
    """A copy of the stopped run, on a drive that can go away."""
    shutil.copytree(halfway, drive.path / "run")
    return RunFolder(drive.path / "run")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setbacks, "DRIVE_PATIENCE_S", 0.0)


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do something while a training waits for its drive, instead of waiting."""
    monkeypatch.setattr(setbacks.time, "sleep", lambda seconds: action())


@pytest.mark.parametrize("fault", ["EIO", "ESTALE", "ENOTCONN", "ETIMEDOUT"])
def test_a_training_waits_for_a_drive_that_is_away_for_a_while(
    away: RunFolder,
    drive: FaultyDrive,
    whole: dict[str, Any],
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meanwhile(monkeypatch, lambda: drive.answers("sound"))
    with few_channels():
        train(away, at_first_metrics(lambda: drive.answers(fault)), resume=True)
    assert differing(whole, final_learner(away)) == []
    assert away.read_status()["state"] == State.FINISHED.value


def test_a_drive_that_stays_away_ends_the_training_in_one_line_with_its_checkpoint_intact(
    away: RunFolder, drive: FaultyDrive, whole: dict[str, Any], impatient: None
) -> None:
    with few_channels(), pytest.raises(DriveAway, match="does not answer; connect it again"):
        train(away, at_first_metrics(lambda: drive.answers("EIO")), resume=True)
    drive.answers("sound")
    (away.path / "lock").unlink()  # of this process, which unlike a real one lives on
    assert differing(whole, final_learner(trained(away, resume=True))) == []


def test_a_drive_that_hangs_holds_the_training_up_and_no_more(
    away: RunFolder, drive: FaultyDrive, whole: dict[str, Any]
) -> None:
    def hang() -> None:
        drive.answers("hang")
        Timer(0.3, drive.answers, ["sound"]).start()

    with few_channels():
        train(away, at_first_metrics(hang), resume=True)
    assert differing(whole, final_learner(away)) == []


def test_a_folder_that_is_gone_is_waited_for_and_never_made_anew(
    run: RunFolder, tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "aside"

    def bring_back() -> None:
        assert not run.path.exists(), "nothing may be made in its place"
        aside.rename(run.path)

    meanwhile(monkeypatch, bring_back)
    with few_channels():
        train(run, at_first_metrics(lambda: run.path.rename(aside)), resume=True)
    assert differing(whole, final_learner(run)) == []


def test_nothing_is_written_into_an_empty_mount_point(
    run: RunFolder, tmp_path: Path, impatient: None
) -> None:
    def unmount() -> None:
        run.path.rename(tmp_path / "aside")
        run.path.mkdir()

    with few_channels(), pytest.raises(DriveAway, match="is gone; bring its drive back"):
        train(run, at_first_metrics(unmount), resume=True)
    assert list(run.path.iterdir()) == []


def test_a_quota_that_is_used_up_stops_the_training_in_one_line(
    away: RunFolder, drive: FaultyDrive, whole: dict[str, Any]
) -> None:
    with few_channels(), pytest.raises(GenSegError, match="your disk quota is used up; make room"):
        train(away, at_first_metrics(lambda: drive.answers("EDQUOT")), resume=True)
    drive.answers("sound")
    assert differing(whole, final_learner(trained(away, resume=True))) == []


def test_a_drive_that_knows_no_capitals_holds_a_whole_training(
    tmp_path: Path, cases: CaseSet, whole: dict[str, Any]
) -> None:
    with faulty_drive(tmp_path, fold=True) as drive:
        run = trained(tiny_run(drive.path / "Run", cases, **SMALL))
        assert differing(whole, final_learner(run)) == []
        with pytest.raises(GenSegError, match="holds a run already"):
            tiny_run(drive.path / "RUN", cases)


def test_cases_whose_names_differ_in_capitals_alone_are_refused(tmp_path: Path) -> None:
    """Their previews would be one file on a drive that knows no capitals."""
    tiny_cases(tmp_path, 2)
    for part in ("images", "labels"):
        (tmp_path / part / "case_1.nii.gz").rename(tmp_path / part / "CASE_0.nii.gz")
    with pytest.raises(GenSegError, match="named CASE_0 or case_0; give each its own name"):
        read_cases(tmp_path)


def test_long_paths_spaces_quotes_and_foreign_letters_do_no_harm(
    halfway: Path, tmp_path: Path, whole: dict[str, Any]
) -> None:
    folder = tmp_path / "Läufe 海馬 'a' \"b\" %s {x} $HOME" / ("x" * 200) / ("y" * 100)
    shutil.copytree(halfway, folder / "run")
    run = trained(RunFolder(folder / "run"), resume=True)
    assert len(str(run.path)) > 300
    assert differing(whole, final_learner(run)) == []
    assert logs(run)
