"""The frame for missing Python packages at the top of the panel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from GenSegSlicerLib import Dependencies
from panel_driver import PanelDriver


@pytest.fixture
def panel(host: Any, scene: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[PanelDriver]:
    """The panel in a Slicer without PyTorch."""
    monkeypatch.setattr(
        Dependencies, "_isSatisfied", lambda requirement: "torch" not in requirement
    )
    driver = PanelDriver(host)
    yield driver
    host.close_module("GenSegSlicer")


def test_missing_packages_are_named_and_nothing_can_be_started(panel: PanelDriver) -> None:
    ui = panel.ui
    assert not ui.dependencyFrame.isHidden()
    assert "torch" in ui.dependencyLabel.text
    assert ui.trainButton.toolTip == "install the missing packages first (see above)"
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
    assert shown == ["Installing PyTorch (several hundred megabytes)..."]


def test_the_frame_is_hidden_once_all_packages_are_installed(
    panel: PanelDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dependencies, "_isSatisfied", lambda requirement: True)
    panel.press(panel.ui.installButton)
    assert panel.ui.dependencyFrame.isHidden()
    assert "missing packages" not in panel.ui.trainButton.toolTip
