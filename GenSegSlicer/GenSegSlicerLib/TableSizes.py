"""Tables that are as high as their rows, so that the panel has no holes."""

from __future__ import annotations

from typing import Any

_FRAME = 4


def fitHeight(table: Any, rows: int, least: int = 1, most: int = 8) -> None:
    """Make a table as high as its rows, though never lower or higher than so many of them.

    Args:
        table: a QTableWidget.
        rows: how many it has.
        least: rows for which there is room in any case.
        most: rows from which on the table scrolls.
    """
    rowHeight = table.rowHeight(0) if rows else table.verticalHeader().defaultSectionSize
    header = table.horizontalHeader()
    top = 0 if header.isHidden() else header.sizeHint.height()
    height = top + rowHeight * min(max(rows, least), most) + _FRAME
    table.minimumHeight = height
    table.maximumHeight = height
