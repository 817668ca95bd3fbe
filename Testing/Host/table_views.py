"""qMRMLTableView: a table node of the scene in a table."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import QItemSelection, QModelIndex, Signal
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QApplication, QTableView, QVBoxLayout, QWidget

from .mrml_widgets import SceneHolder
from .properties import stored
from .ui_loader import offered

_SCENE_SIGNATURES = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged"}


@offered
class qMRMLTableView(SceneHolder, QTableView):
    """Shows a table node; an unlocked table can be edited."""

    mrmlSceneChanged = Signal(object)
    selectionChangedOnce = Signal()
    signatures = {**_SCENE_SIGNATURES, "selectionChanged()": "selectionChangedOnce"}

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table: Any = None
        self._observer = 0
        self._view_node: Any = None
        self._filling = False
        self._model = QStandardItemModel(self)
        self._model.itemChanged.connect(self._edited)
        self.setModel(self._model)

    def _refill(self) -> None:
        self._fill()

    transposed = stored("bool", "transposed", False, _refill)
    firstRowLocked = stored("bool", "firstRowLocked", False, _refill)
    firstColumnLocked = stored("bool", "firstColumnLocked", False, _refill)

    def mrmlTableNode(self) -> Any:
        return self._table

    def setMRMLTableNode(self, node: Any) -> None:
        if self._table is not None:
            self._table.RemoveObserver(self._observer)
        self._table = node
        if node is not None:
            modified = vtk.vtkCommand.ModifiedEvent
            self._observer = node.AddObserver(modified, lambda *_: self._fill())
        self._fill()

    def mrmlTableViewNode(self) -> Any:
        return self._view_node

    def setMRMLTableViewNode(self, node: Any) -> None:
        self._view_node = node
        if node is not None:
            node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._follow_view_node)
            self._follow_view_node()

    def _follow_view_node(self, *_: Any) -> None:
        self.setMRMLTableNode(self._view_node.GetTableNode())

    def _fill(self) -> None:
        self._filling = True
        self._model.clear()
        table = self._table.GetTable() if self._table is not None else None
        if table is not None:
            self._add_cells(table)
        self._filling = False

    def _add_cells(self, table: Any) -> None:
        names = [table.GetColumnName(index) or "" for index in range(table.GetNumberOfColumns())]
        if not self._table.GetUseColumnNameAsColumnHeader():
            names = [str(index) for index in range(len(names))]
        rows, columns = table.GetNumberOfRows(), table.GetNumberOfColumns()
        for row in range(rows):
            items = [QStandardItem(table.GetValue(row, col).ToString()) for col in range(columns)]
            for item in items:
                item.setEditable(not self._table.GetLocked())
            (self._model.appendColumn if self.transposed else self._model.appendRow)(items)
        set_labels = (
            self._model.setVerticalHeaderLabels
            if self.transposed
            else self._model.setHorizontalHeaderLabels
        )
        set_labels(names)

    def _edited(self, item: QStandardItem) -> None:
        if self._filling:
            return
        row, column = item.row(), item.column()
        if self.transposed:
            row, column = column, row
        self._table.SetCellText(row, column, item.text())

    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        super().selectionChanged(selected, deselected)
        self.selectionChangedOnce.emit()

    def copySelection(self) -> None:
        indexes = self.selectionModel().selectedIndexes()
        rows = sorted({each.row() for each in indexes})
        lines = [
            "\t".join(str(each.data()) for each in indexes if each.row() == row) for row in rows
        ]
        QApplication.clipboard().setText("\n".join(lines))

    def insertRow(self) -> None:
        self._table.AddEmptyRow()

    def insertColumn(self) -> None:
        self._table.AddColumn()

    def deleteRow(self) -> None:
        for row in sorted({each.row() for each in self._selected()}, reverse=True):
            self._table.RemoveRow(row)

    def deleteColumn(self) -> None:
        for column in sorted({each.column() for each in self._selected()}, reverse=True):
            self._table.RemoveColumn(column)

    def _selected(self) -> list[QModelIndex]:
        return list(self.selectionModel().selectedIndexes())


class qMRMLTableWidget(QWidget):
    """A table view in the layout."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = qMRMLTableView(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._view)

    def tableView(self) -> qMRMLTableView:
        return self._view


def table_widget(view_node: Any) -> qMRMLTableWidget:
    """A table widget for a view node of the layout."""
    widget = qMRMLTableWidget()
    widget.tableView().setMRMLScene(slicer.app.mrmlScene())
    widget.tableView().setMRMLTableViewNode(view_node)
    return widget
