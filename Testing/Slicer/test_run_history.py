"""The recent runs and models in Slicer's settings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
from GenSegSlicerLib.RunHistory import RunHistory, modelFolder, runTitle
from panel_driver import PanelDriver
from small_trainings import small_run

from GenSegLib.files import write_json


@pytest.fixture(autouse=True)
def _settings(host: Any) -> Iterator[None]:
    """Clear the settings before and after each test."""
    qt.QSettings().remove("GenSegSlicer")
    yield
    qt.QSettings().remove("GenSegSlicer")


def test_runs_are_listed_newest_first_and_once(tmp_path: Path) -> None:
    one, two = (small_run(tmp_path / name).path for name in ("ä 1", "海馬 2"))
    history = RunHistory()
    for run in (one, two, one):
        history.addRun(run)
    assert history.runs() == [one, two]
    assert isinstance(qt.QSettings().value("GenSegSlicer/runs"), str)


def test_deleted_runs_are_not_listed(tmp_path: Path) -> None:
    run = small_run(tmp_path).path
    RunHistory().addRun(run)
    shutil.rmtree(run)
    assert RunHistory().runs() == []


def test_models_are_those_of_finished_runs_and_those_applied(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    RunHistory().addRun(run.path)
    assert RunHistory().models() == []
    used = tmp_path / "from a friend"
    for folder in (run.model, used):
        write_json(folder / "configs" / "metadata.json", {})
    RunHistory().addModel(used)
    assert RunHistory().models() == [used, run.model]


@pytest.mark.parametrize("text", ["", "no JSON", '{"a": 1}', "[1, null]", "null", "12"])
def test_invalid_settings_are_an_empty_history(text: str) -> None:
    qt.QSettings().setValue("GenSegSlicer/runs", text)
    assert RunHistory().runs() == []


def test_the_model_folder_of_a_run_or_model(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    assert modelFolder(run.path) == run.model
    assert modelFolder(run.model) == run.model


def test_a_run_is_running_only_while_it_is_locked(tmp_path: Path) -> None:
    run = small_run(tmp_path)
    RunHistory().addRun(run.path)
    assert RunHistory().runningRun() is None
    with run.lock():
        run.write_status("running", 3)
        assert RunHistory().runningRun() == run.path


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("hippocampus-mri-2026-11-29-160458", "2026-11-29 16:04 hippocampus-mri"),
        ("liver-ct-2026-11-29-160458-2", "2026-11-29 16:04 liver-ct-2"),
        ("first", "first"),
    ],
)
def test_the_title_of_a_run_begins_with_its_time(name: str, title: str) -> None:
    assert runTitle(Path("runs", name)) == title


def test_review_names_a_run_by_its_time(host: Any, scene: Any, tmp_path: Path) -> None:
    run = small_run(tmp_path).path.rename(tmp_path / "hippocampus-mri-2026-11-29-160458")
    panel = PanelDriver(host)
    panel.ui.openRunButton.directorySelected.emit(str(run))
    panel.ui.reviewSection.collapsed = False
    host.process_events()
    assert panel.ui.reviewSource.text.startswith("2026-11-29 16:04 hippocampus-mri has no previews")
    host.close_module("GenSegSlicer")


def test_a_model_that_cannot_be_examined_is_not_listed(tmp_path: Path) -> None:
    for name in ("x" * 300, "usable"):
        RunHistory().addModel(tmp_path / name)
    write_json(tmp_path / "usable" / "configs" / "metadata.json", {})
    assert RunHistory().models() == [tmp_path / "usable"]
    assert RunHistory().runs() == []
