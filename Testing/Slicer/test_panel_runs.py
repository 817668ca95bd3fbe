"""Stopping, resuming and reconnecting to training runs in the panel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import qt
import slicer
from GenSegSlicerLib import RunSection
from GenSegSlicerLib.ReportWindow import openReport
from GenSegSlicerLib.RunHistory import runTitle
from panel_driver import PanelDriver
from panel_scenes import phantom_folder, tiny_preset
from small_trainings import small_run

from GenSegLib.files import write_json
from GenSegLib.runs import RunFolder, State


def ready_panel(host: Any, folder: Path) -> PanelDriver:
    """Open the panel with four phantoms, for a training that lasts until it is stopped."""
    qt.QSettings().remove("GenSegSlicer")
    slicer.mrmlScene.Clear(0)
    panel = PanelDriver(host)
    panel.parameters.preset = str(tiny_preset(folder, final_steps=20000))
    panel.parameters.effort = "budget"
    panel.parameters.timeBudgetMin = 8  # limits the training if these tests are killed
    panel.parameters.outputFolder = str(folder / "runs")
    panel.ui.importFolderButton.directorySelected.emit(str(phantom_folder(folder)))
    panel.wait_for_checks()
    return panel


def start(panel: PanelDriver) -> Any:
    """Press *Start training* and wait for the first steps."""
    panel.press(panel.ui.trainButton)
    job = panel.widget.panel.runs.job
    wait_for_steps(panel, job)
    return job


def wait_for_steps(panel: PanelDriver, job: Any) -> None:
    panel.host.wait_until(lambda: not job.isActive or job.phase == "final", 300)
    assert job.isActive, job.message


def end(panel: PanelDriver, job: Any = None) -> None:
    """Kill a running training, and close the panel and the scene."""
    job = job or panel.widget.logic.trainingJob
    if job is not None and job.isActive:
        job.kill()
        panel.host.wait_until(lambda: not job.isActive, 60)
    panel.host.close_module("GenSegSlicer")
    slicer.mrmlScene.Clear(0)


@pytest.fixture(scope="module")
def going(host: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The run folder of a training that is running while its panel is closed."""
    panel = ready_panel(host, tmp_path_factory.mktemp("going"))
    job = None
    try:
        job = start(panel)
        panel.host.close_module("GenSegSlicer")
        slicer.mrmlScene.Clear(0)
        yield job.runFolder
    finally:
        end(PanelDriver(host), job)  # other tests clear the list of runs


@pytest.fixture
def suspended(going: Path) -> Iterator[None]:
    """Suspend the process of that training, which otherwise competes with the tests that watch."""
    process = psutil.Process(int(RunFolder.open(going).read_status()["process"]))
    process.suspend()
    yield
    process.resume()


@pytest.fixture
def reopened(going: Path, host: Any, scene: Any) -> Iterator[PanelDriver]:
    """The panel, opened in an empty scene during that training."""
    panel = PanelDriver(host)
    yield panel
    host.close_module("GenSegSlicer")


@pytest.mark.usefixtures("suspended")
def test_running_training_is_reconnected(reopened: PanelDriver, going: Path) -> None:
    found = reopened.widget.panel.runs.job
    assert found.runFolder == going and found.isActive
    assert reopened.ui.runSelector.currentText == runTitle(going)
    assert reopened.ui.progressRunLabel.isHidden()
    assert reopened.ui.stopButton.enabled
    assert "another training is running" in reopened.ui.trainButton.toolTip


@pytest.mark.usefixtures("suspended")
def test_reloaded_module_reconnects_to_its_training(reopened: PanelDriver, going: Path) -> None:
    reopened.widget.onReload()
    reopened.host.process_events()
    panel = PanelDriver(reopened.host)
    assert panel.widget is not reopened.widget
    assert panel.widget.panel.runs.job.runFolder == going
    assert panel.ui.stopButton.enabled


@pytest.mark.usefixtures("suspended")
def test_training_continues_after_scene_close(reopened: PanelDriver, going: Path) -> None:
    slicer.mrmlScene.Clear(0)
    reopened.host.process_events()
    assert reopened.widget.panel.runs.job.isActive
    assert "The scene was closed; training continues" in reopened.ui.trainMessage.text
    assert reopened.ui.runSelector.currentText == runTitle(going)
    assert not reopened.ui.progressFrame.isHidden()
    assert reopened.ui.stopButton.enabled


@pytest.mark.usefixtures("suspended")
def test_another_selected_run_is_kept_and_the_bar_names_its_own(
    reopened: PanelDriver, going: Path, tmp_path: Path
) -> None:
    other = small_run(tmp_path).path
    reopened.ui.openRunButton.directorySelected.emit(str(other))
    reopened.host.process_events()
    assert reopened.parameters.runFolder == str(other)
    assert reopened.ui.progressRunLabel.text == f"Training of {runTitle(going)}"
    scene_file = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(scene_file))
    slicer.mrmlScene.Clear(0)
    slicer.util.loadScene(str(scene_file))
    reopened.host.process_events()
    assert reopened.parameters.runFolder == str(other)
    assert reopened.widget.panel.runs.job.isActive


@pytest.mark.usefixtures("suspended")
def test_action_on_closing_is_asked_once(reopened: PanelDriver) -> None:
    assert not reopened.ui.closingFrame.isHidden()
    reopened.press(reopened.ui.closingContinueButton)
    assert reopened.ui.closingFrame.isHidden()
    assert reopened.ui.closingSelector.currentText == "Keep training"
    job = reopened.widget.panel.runs.job
    reopened.widget.cleanup()  # as Slicer does when it quits
    assert job.state == "running"


def test_stop_and_resume(reopened: PanelDriver, going: Path) -> None:
    """Ends that training, so this test is the last one that uses it."""
    panel, ui = reopened, reopened.ui
    slicer.mrmlScene.Clear(0)  # its end is announced although its scene was closed
    job = panel.widget.panel.runs.job
    panel.press(ui.stopButton)
    assert not ui.stopButton.enabled
    assert "Stopping" in ui.trainProgressBar.format
    panel.host.wait_until(lambda: not job.isActive, 60)
    assert job.state == "stopped"
    assert "Resume" in ui.trainMessage.text
    assert not ui.progressFrame.isHidden()
    qt.QSettings().remove("GenSegSlicer/trainingWhenClosing")
    panel.press(ui.resumeButton)
    resumed = panel.widget.panel.runs.job
    wait_for_steps(panel, resumed)
    assert resumed.runFolder == going
    panel.press(ui.closingStopButton)  # remembered
    panel.host.close_module("GenSegSlicer")  # as Slicer does when it quits
    panel.host.wait_until(lambda: not resumed.isActive, 60)
    assert resumed.state == "stopped"
    assert PanelDriver(panel.host).parameters.outputFolder == str(going.parent)  # remembered


def test_missing_output_folder_and_failed_training_are_reported_in_one_line(
    host: Any, tmp_path: Path
) -> None:
    panel = ready_panel(host, tmp_path)
    ui, folder = panel.ui, panel.ui.outputFolderEdit.currentPath
    ui.outputFolderEdit.currentPath = ""
    host.process_events()
    assert not ui.trainButton.enabled
    assert "select an output folder" in ui.trainButton.toolTip
    assert ui.trainReason.text == "To train: select an output folder"
    ui.outputFolderEdit.currentPath = folder
    panel.parameters.device = "cuda:7"
    host.process_events()
    panel.press(ui.trainButton)
    job = panel.widget.panel.runs.job
    host.wait_until(lambda: not job.isActive, 120)
    assert job.state == "failed"
    assert "cuda:7" in ui.trainMessage.text
    assert "\n" not in ui.trainMessage.text
    assert "cuda:7" in ui.logText.plainText  # the details
    assert ui.trainButton.enabled
    end(panel)


def test_run_on_another_computer_is_monitored_and_stopped(
    host: Any, scene: Any, fresh_settings: None, tmp_path: Path
) -> None:
    run = small_run(tmp_path / "sérver")
    panel = PanelDriver(host)
    ui = panel.ui
    assert not ui.stopButton.enabled
    with run.lock():
        run.write_status(State.RUNNING, 3)
        write_json(run.path / "status.json", {**run.read_status(), "host": "the server"})
        ui.openRunButton.directorySelected.emit(str(run.path))
        host.process_events()
        assert ui.runSelector.currentText == run.path.name
        job = panel.widget.panel.runs.job
        assert job.runFolder == run.path and job.isActive
        panel.press(ui.stopButton)
        assert run.stop_requested()
        run.write_status(State.STOPPED, 4)
    host.wait_until(lambda: not job.isActive, 60)
    assert ui.resumeButton.enabled
    assert panel.widget.logic.runs() == [run.path]
    host.close_module("GenSegSlicer")


def test_invalid_run_folder_is_reported(
    host: Any, scene: Any, fresh_settings: None, tmp_path: Path
) -> None:
    panel = PanelDriver(host)
    panel.ui.openRunButton.directorySelected.emit(str(tmp_path))
    assert "is not a run folder" in panel.ui.trainMessage.text
    assert panel.ui.runSelector.currentText == "No runs yet"
    host.close_module("GenSegSlicer")


def test_a_report_that_no_browser_shows_is_named(
    host: Any, scene: Any, fresh_settings: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run(tmp_path)
    run.report.write_text("<html></html>")
    panel = PanelDriver(host)
    panel.ui.openRunButton.directorySelected.emit(str(run.path))
    host.process_events()
    monkeypatch.setattr(RunSection, "openReport", lambda path, title: False)
    panel.press(panel.ui.reportButton)
    assert str(run.report) in panel.ui.trainMessage.text
    host.close_module("GenSegSlicer")


def test_the_plan_of_a_run_is_shown_with_its_candidates(
    host: Any, scene: Any, fresh_settings: None, tmp_path: Path
) -> None:
    run = small_run(tmp_path)
    panel = PanelDriver(host)
    ui = panel.ui
    ui.trainingSection.collapsed = ui.planDetailsSection.collapsed = False
    ui.openRunButton.directorySelected.emit(str(run.path))
    host.process_events()
    assert ui.planLabel.isHidden() and ui.planDetailsSection.isHidden()
    row = {"candidate": "2-D, 128 x 128 at 2 mm", "seconds": 0.3127, "steps": 3261}
    write_json(
        run.path / "plan.json",
        {
            "summary": "2-D slices of 128 x 128 at 2 mm, about 3,000 steps in 20 minutes",
            "notes": ["the Posterior is small"],
            "rows": [{**row, "reason": "chosen"}],
        },
    )
    panel.widget.panel.runs.update()  # as at the next event of the training
    assert ui.planLabel.text.startswith("2-D slices of 128 x 128 at 2 mm, about 3,000 steps")
    assert panel.rows(ui.planTable) == [["2-D, 128 x 128 at 2 mm", "0.313", "3,261", "chosen"]]
    host.close_module("GenSegSlicer")


def test_a_report_opens_in_a_window_of_slicer_that_has_a_browser(
    host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []

    class WebWidget:
        def resize(self, width: int, height: int) -> None: ...

        def show(self) -> None:
            shown.append(self)

    monkeypatch.setattr(slicer, "qSlicerWebWidget", WebWidget, raising=False)
    assert openReport(tmp_path / "report.html", "run")
    assert shown[0].url.endswith("report.html") and shown[0].windowTitle == "run"
