"""Operate the panel as a user does: press enabled buttons, choose listed entries."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[2] / "GenSegSlicer" / "GenSegSlicer.py"


class PanelDriver:
    """Operates the opened panel."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.widget = host.open_module(MODULE)

    @property
    def ui(self) -> Any:
        return self.widget.ui

    @property
    def parameters(self) -> Any:
        return self.widget.panel.parameters

    def press(self, button: Any) -> None:
        """Press a button, which must be enabled."""
        assert button.enabled, f"{button.objectName} is disabled: {button.toolTip}"
        button.click()
        self.host.process_events()

    def choose(self, box: Any, text: str) -> None:
        """Choose an entry of a combo box by its text."""
        entries = [box.itemText(index) for index in range(box.count)]
        assert text in entries, f"{box.objectName} lists {entries}"
        box.setCurrentIndex(entries.index(text))
        self.host.process_events()

    def select_rows(self, table: Any, rows: list[int]) -> None:
        """Select rows of a table as with Ctrl and the mouse."""
        table.clearSelection()
        for row in rows:
            for column in range(table.columnCount):
                table.item(row, column).setSelected(True)

    def rows(self, table: Any) -> list[list[str]]:
        """The text of each cell of a table, or of the combo box in it."""
        return [
            [self._cell(table, row, column) for column in range(table.columnCount)]
            for row in range(table.rowCount)
        ]

    def wait_for_checks(self) -> None:
        """Wait until all pairs have been checked."""
        self.host.process_events()
        self.host.wait_until(lambda: not self.widget.panel.cases.isChecking, 60)
        self.host.process_events()

    def _cell(self, table: Any, row: int, column: int) -> str:
        box = table.cellWidget(row, column)
        if box is not None:
            return str(box.currentText if hasattr(box, "currentText") else box.text)
        return str(table.item(row, column).text())


@pytest.fixture
def panel(host: Any, scene: Any) -> Iterator[PanelDriver]:
    """The panel, opened on an empty scene."""
    driver = PanelDriver(host)
    yield driver
    host.close_module("GenSegSlicer")
