"""A table node shown in the panel: numbers of one column have equally many digits.

Slicer's own table view writes 2.0 as "2" beside "2.198".
"""

from __future__ import annotations

import math
import textwrap

import qt
import slicer
import vtk

from GenSegSlicerLib.TableSizes import fitHeight

_TITLE_WIDTH = 14
_NONE = "-"


def showTableNode(widget: qt.QTableWidget, node: slicer.vtkMRMLTableNode) -> None:
    """Show what a table node holds now, in a table that is as wide as the panel."""
    columns = [node.GetTable().GetColumn(k) for k in range(node.GetNumberOfColumns())]
    widget.setRowCount(node.GetNumberOfRows())
    widget.setColumnCount(len(columns))
    widget.setHorizontalHeaderLabels([_wrapped(column.GetName()) for column in columns])
    for index, column in enumerate(columns):
        _fill(widget, index, column)
    widget.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
    widget.setVisible(True)
    fitHeight(widget, node.GetNumberOfRows())


def _fill(widget: qt.QTableWidget, index: int, column: vtk.vtkAbstractArray) -> None:
    isText = column.IsA("vtkStringArray")
    side = qt.Qt.AlignLeft if isText else qt.Qt.AlignRight
    for row in range(column.GetNumberOfValues()):
        item = qt.QTableWidgetItem(_text(column.GetValue(row)))
        item.setTextAlignment(side | qt.Qt.AlignVCenter)
        item.setToolTip(item.text())
        widget.setItem(row, index, item)


def _text(value: object) -> str:
    if isinstance(value, float):
        return _NONE if math.isnan(value) else f"{value:.3f}"
    return str(value)


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.wrap(title, _TITLE_WIDTH))
