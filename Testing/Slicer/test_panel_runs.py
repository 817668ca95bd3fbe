"""Trainings that do not go straight on: stopped, failed, found again, outliving their scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import qt
import slicer
from panel_driver import PanelDriver
from panel_scenes import phantom_folder, tiny_preset


@pytest.fixture
def panel(host: Any, scene: Any, tmp_path: Path) -> Iterator[PanelDriver]:
    """The panel with four phantoms, ready for a training that lasts until it is stopped."""
    qt.QSettings().clear()
    driver = PanelDriver(host)
    driver.parameters.preset = str(tiny_preset(tmp_path, final_steps=5000))
    driver.parameters.outputFolder = str(tmp_path / "runs")
    driver.ui.importFolderButton.directorySelected.emit(str(phantom_folder(tmp_path)))
    driver.wait_for_checks()
    yield driver
    job = driver.widget.logic.trainingJob
    if job is not None and job.isActive:
        job.kill()
        host.wait_until(lambda: not job.isActive, 60)
    host.close_module("GenSegSlicer")


def start(panel: PanelDriver) -> Any:
    """Press *Train* and wait for the first steps."""
    panel.press(panel.ui.trainButton)
    job = panel.widget.panel.runs.job
    panel.host.wait_until(lambda: not job.isActive or job.phase == "final", 120)
    assert job.isActive, job.message
    return job


def test_stop_saves_and_resume_goes_on(panel: PanelDriver) -> None:
    job = start(panel)
    panel.press(panel.ui.stopButton)
    assert not panel.ui.stopButton.enabled
    assert "Stopping" in panel.ui.trainProgressBar.format
    panel.host.wait_until(lambda: not job.isActive, 60)
    assert job.state == "stopped"
    assert "Resume" in panel.ui.trainMessage.text
    panel.press(panel.ui.resumeButton)
    resumed = panel.widget.panel.runs.job
    panel.host.wait_until(lambda: not resumed.isActive or resumed.phase == "final", 120)
    assert resumed.isActive and resumed.runFolder == job.runFolder


def test_the_question_what_closing_does_is_asked_once(panel: PanelDriver) -> None:
    job = start(panel)
    assert not panel.ui.closingFrame.isHidden()
    panel.press(panel.ui.closingStopButton)
    assert panel.ui.closingFrame.isHidden()
    panel.widget.panel.slicerCloses()
    panel.host.wait_until(lambda: not job.isActive, 60)
    assert job.state == "stopped"


def test_a_training_outlives_its_scene_and_the_panel_says_so(panel: PanelDriver) -> None:
    job = start(panel)
    slicer.mrmlScene.Clear(0)
    panel.host.process_events()
    assert job.isActive
    assert "The scene was closed; the training goes on" in panel.ui.trainMessage.text
    assert panel.ui.stopButton.enabled


def test_a_reloaded_module_finds_its_training_again(panel: PanelDriver) -> None:
    job = start(panel)
    panel.widget.onReload()
    panel.host.process_events()
    reopened = PanelDriver(panel.host)
    found = reopened.widget.panel.runs.job
    assert found is not None and found.isActive
    assert found.runFolder == job.runFolder
    assert reopened.ui.stopButton.enabled
    panel.widget = reopened.widget


def test_a_training_is_found_again_by_another_slicer(panel: PanelDriver) -> None:
    job = start(panel)
    run = job.runFolder
    panel.host.close_module("GenSegSlicer")
    slicer.mrmlScene.Clear(0)
    panel.widget = PanelDriver(panel.host).widget
    panel.host.process_events()
    found = panel.widget.panel.runs.job
    assert found is not None and found.runFolder == run and found.isActive
    assert panel.ui.runSelector.currentText == run.name


def test_a_failed_training_says_why_in_one_line(panel: PanelDriver) -> None:
    panel.parameters.device = "cuda:7"
    panel.host.process_events()
    panel.press(panel.ui.trainButton)
    job = panel.widget.panel.runs.job
    panel.host.wait_until(lambda: not job.isActive, 120)
    assert job.state == "failed"
    assert "cuda:7" in panel.ui.trainMessage.text
    assert "\n" not in panel.ui.trainMessage.text
    assert panel.ui.trainButton.enabled


def test_without_an_output_folder_the_button_says_what_is_missing(panel: PanelDriver) -> None:
    panel.ui.outputFolderEdit.currentPath = ""
    panel.host.process_events()
    assert not panel.ui.trainButton.enabled
    assert panel.ui.trainButton.toolTip == "choose an output folder"
    assert panel.ui.trainReason.text == "To train: choose an output folder"
