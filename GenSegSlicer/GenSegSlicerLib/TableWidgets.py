"""Helpers for QTableWidget: contents of table nodes, and heights that fit the rows.

Slicer's own table view shows 2.0 as "2" beside "2.198"; here all numbers have three decimals.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any

import qt
import slicer
import vtk

_TITLE_WIDTH = 14
_FRAME = 4


def showTableNode(widget: qt.QTableWidget, node: slicer.vtkMRMLTableNode) -> None:
    """Show the contents of a table node in a table as wide as the panel."""
    columns = [node.GetTable().GetColumn(k) for k in range(node.GetNumberOfColumns())]
    widget.setRowCount(node.GetNumberOfRows())
    widget.setColumnCount(len(columns))
    widget.setHorizontalHeaderLabels(
        ["\n".join(textwrap.wrap(column.GetName(), _TITLE_WIDTH)) for column in columns]
    )
    for index, column in enumerate(columns):
        _fillColumn(widget, index, column)
    widget.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
    widget.setVisible(True)
    fitHeight(widget, node.GetNumberOfRows())


def showRows(widget: qt.QTableWidget, titles: list[str], rows: list[list[str]]) -> None:
    """Show texts in a table as wide as the panel; each cell's tooltip is its complete text."""
    widget.setColumnCount(len(titles))
    widget.setRowCount(len(rows))
    widget.setHorizontalHeaderLabels(["\n".join(textwrap.wrap(t, _TITLE_WIDTH)) for t in titles])
    for index, row in enumerate(rows):
        for column, text in enumerate(row):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(text)
            widget.setItem(index, column, item)
    widget.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
    fitHeight(widget, len(rows))


def fitHeight(table: Any, rows: int, minimum: int = 1, maximum: int = 8) -> None:
    """Set the height of a QTableWidget to that of its rows, within limits.

    Args:
        table: the table.
        rows: number of rows.
        minimum: smallest height in rows.
        maximum: largest height in rows; longer tables scroll.
    """
    rowHeight = table.rowHeight(0) if rows else table.verticalHeader().defaultSectionSize
    header = table.horizontalHeader()
    top = 0 if header.isHidden() else header.sizeHint.height()
    height = top + rowHeight * min(max(rows, minimum), maximum) + _FRAME
    table.minimumHeight = height
    table.maximumHeight = height


def _fillColumn(widget: qt.QTableWidget, index: int, column: vtk.vtkAbstractArray) -> None:
    isText = column.IsA("vtkStringArray")
    alignment = qt.Qt.AlignLeft if isText else qt.Qt.AlignRight
    for row in range(column.GetNumberOfValues()):
        item = qt.QTableWidgetItem(_format(column.GetValue(row)))
        item.setTextAlignment(alignment | qt.Qt.AlignVCenter)
        item.setToolTip(item.text())
        widget.setItem(row, index, item)


def _format(value: object) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3f}"
    return str(value)
