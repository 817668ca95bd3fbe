"""The frame at the top of the panel while Python packages are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from GenSegSlicerLib import Dependencies
from panel_driver import PanelDriver


@pytest.fixture
def panel(host: Any, scene: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelDriver]:
    """The panel in a Slicer whose Python has no PyTorch."""
    monkeypatch.setattr(Dependencies, "_isMet", lambda requirement: "torch" not in requirement)
    driver = PanelDriver(host)
    yield driver
    host.close_module("GenSegSlicer")


def test_what_is_missing_is_named_and_nothing_can_start(panel: PanelDriver) -> None:
    ui = panel.ui
    assert not ui.dependencyFrame.isHidden()
    assert "need torch" in ui.dependencyLabel.text
    assert ui.trainButton.toolTip == "install the missing packages first (above)"
    assert not ui.applyButton.enabled and not ui.evaluateButton.enabled


def test_an_installation_that_fails_says_why_in_the_panel(panel: PanelDriver) -> None:
    panel.press(panel.ui.installButton)
    assert "install the extension PyTorch" in panel.ui.dependencyLabel.text
    assert panel.ui.installButton.enabled


def test_while_it_installs_the_panel_says_what(
    panel: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(
        Dependencies, "_installTorch", lambda: read.append(panel.ui.dependencyLabel.text)
    )
    panel.press(panel.ui.installButton)
    assert read == ["Installing PyTorch (several hundred megabytes)..."]


def test_the_frame_goes_when_everything_is_there(
    panel: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dependencies, "_isMet", lambda requirement: True)
    panel.press(panel.ui.installButton)
    assert panel.ui.dependencyFrame.isHidden()
    assert "missing packages" not in panel.ui.trainButton.toolTip
