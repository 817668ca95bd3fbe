"""Run folders on drives that disappear, and with unusual names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_training import (
    at_first_metrics,
    few_channels,
    final_learner,
    logs,
    tiny_cases,
    trained,
)

from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import DriveUnavailable, GenSegError
from GenSegLib.runs import RunFolder
from GenSegLib.training import recovery
from GenSegLib.training.train import train
from Testing.training_states import differing


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "DRIVE_TIMEOUT_S", 0.0)


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
    """Do something instead of sleeping while a training waits for its drive."""
    monkeypatch.setattr(recovery.time, "sleep", lambda seconds: action())


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
