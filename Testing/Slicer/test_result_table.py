"""How the panel shows the numbers of a table node."""

from __future__ import annotations

from typing import Any

import pytest
import qt
from GenSegSlicerLib.Tables import scoresTable
from GenSegSlicerLib.TableWidgets import showTableNode


@pytest.fixture
def shown(scene: Any) -> Any:
    """Two scores in a table of the panel."""
    widget = qt.QTableWidget()
    scores = [
        {"segment": "Tête", "dice": 0.8876, "hd95_mm": 2.0, "surface_dice": 1, "label": 1},
        {"segment": "Corps", "dice": 0.0, "hd95_mm": None, "surface_dice": 0.5, "label": 2},
    ]
    showTableNode(widget, scoresTable(scores, "Scores"))
    return widget


def test_numbers_have_equally_many_digits(shown: Any) -> None:
    columns = [[shown.item(row, column).text() for row in range(2)] for column in range(4)]
    assert columns == [
        ["Tête", "Corps"],
        ["0.888", "0.000"],
        ["2.000", "-"],
        ["1.000", "0.500"],
    ]


def test_counts_have_none(shown: Any) -> None:
    assert [shown.item(row, 4).text() for row in range(2)] == ["1", "2"]


def test_long_titles_are_wrapped(shown: Any) -> None:
    assert shown.horizontalHeaderItem(3).text() == "Surface Dice\n(1 mm)"


def test_the_table_is_as_high_as_its_rows(shown: Any) -> None:
    showTableNode(shown, scoresTable([{"segment": "Tête", "dice": 1.0}], "Scores"))
    assert (shown.rowCount, shown.columnCount) == (1, 2)
    assert shown.maximumHeight < 4 * shown.rowHeight(0)
