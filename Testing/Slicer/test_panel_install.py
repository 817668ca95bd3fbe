"""The frame for missing Python packages at the top of the panel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import slicer
from GenSegSlicerLib import Dependencies
from panel_driver import PanelDriver


@pytest.fixture
def panel(host: Any, scene: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelDriver]:
    """The panel in a Slicer without PyTorch, whose user agrees to installations."""
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda question: True)
    monkeypatch.setattr(
        Dependencies, "_isSatisfied", lambda requirement: not requirement.startswith("torch")
    )
    driver = PanelDriver(host)
    yield driver
    host.close_module("GenSegSlicer")


def test_missing_packages_are_named_and_nothing_can_be_started(panel: PanelDriver) -> None:
    ui = panel.ui
    assert not ui.dependencyFrame.isHidden()
    assert ui.dependencyLabel.text.endswith("not installed: PyTorch (200 MB to 3 GB)")
    assert "install the missing packages first (see above)" in ui.trainButton.toolTip
    assert not ui.applyButton.enabled and not ui.evaluateButton.enabled


def test_a_failed_installation_is_explained_in_the_panel(panel: PanelDriver) -> None:
    panel.press(panel.ui.installButton)
    assert "install the PyTorch extension" in panel.ui.dependencyLabel.text
    assert panel.ui.installButton.enabled


def test_the_panel_shows_what_is_being_installed(
    panel: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(
        Dependencies, "_installTorch", lambda: shown.append(panel.ui.dependencyLabel.text)
    )
    panel.press(panel.ui.installButton)
    assert shown[0].startswith("Installing PyTorch... This takes several minutes")


def test_nothing_is_installed_without_consent(
    panel: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", questions.append)
    monkeypatch.setattr(Dependencies, "_installTorch", lambda: pytest.fail("installed"))
    panel.press(panel.ui.installButton)
    (question,) = questions
    assert "PyTorch (200 MB to 3 GB)" in question and "does not respond" in question
    assert not panel.ui.dependencyFrame.isHidden()


def test_the_failed_command_is_in_the_details(
    panel: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise subprocess.CalledProcessError(1, ["pip", "install", "torch"], "no space left")

    monkeypatch.setattr(
        Dependencies, "_installTorch", lambda: Dependencies._runInstaller(fail, ["torch"])
    )
    panel.press(panel.ui.installButton)
    ui = panel.ui
    assert ui.dependencyLabel.text.startswith("torch could not be installed; check the network")
    assert ui.dependencyDetailsText.plainText == "pip install torch\nno space left"
    assert not ui.dependencyDetailsSection.isHidden()


def test_the_frame_is_hidden_once_all_packages_are_installed(
    panel: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dependencies, "_isSatisfied", lambda requirement: True)
    panel.press(panel.ui.installButton)
    assert panel.ui.dependencyFrame.isHidden()
    assert "missing packages" not in panel.ui.trainButton.toolTip
