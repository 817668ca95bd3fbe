"""qMRMLTableView: a table node in a table; and the list of a segmentation's segments."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import QItemSelection, QModelIndex, Qt, Signal
from PySide6.QtGui import QColor, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QTableView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .mrml_widgets import SceneHolder
from .properties import Property, stored
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


@offered
class qMRMLSegmentsTableView(SceneHolder, QWidget):
    """The segments of a segmentation: visibility, color, opacity and name."""

    mrmlSceneChanged = Signal(object)
    segmentAboutToBeModified = Signal(str)
    selectionChanged = Signal(object, object)
    signatures = {
        **_SCENE_SIGNATURES,
        "selectionChanged(QItemSelection,QItemSelection)": "selectionChanged",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("qMRMLSegmentsTableView")
        self.setWindowTitle("qMRMLSegmentsTableView")
        self._node: Any = None
        self._observers: list[tuple[Any, int]] = []
        self._filling = False
        self._list = QTableWidget(0, 4, self)
        self._list.setHorizontalHeaderLabels(["", "Color", "Opacity", "Name"])
        self._list.setSelectionBehavior(QAbstractItemView.SelectRows)
        self._list.verticalHeader().setVisible(False)
        self._list.horizontalHeader().setSectionResizeMode(3, QHeaderView.Stretch)
        self._list.itemChanged.connect(self._edited)
        self._list.selectionModel().selectionChanged.connect(self.selectionChanged.emit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        self._show_parts()

    def _show_parts(self) -> None:
        shown = (
            self.visibilityColumnVisible,
            self.colorColumnVisible,
            self.opacityColumnVisible,
            True,
        )
        for column, visible in enumerate(shown):
            self._list.setColumnHidden(column, not visible)
        self._list.horizontalHeader().setVisible(self.headerVisible)
        self._list.setSelectionMode(QAbstractItemView.SelectionMode(self.selectionMode))

    def _refill(self) -> None:
        self._fill()

    selectionMode = stored("int", "selectionMode", 3, _show_parts)
    headerVisible = stored("bool", "headerVisible", False, _show_parts)
    visibilityColumnVisible = stored("bool", "visibilityColumnVisible", True, _show_parts)
    colorColumnVisible = stored("bool", "colorColumnVisible", True, _show_parts)
    opacityColumnVisible = stored("bool", "opacityColumnVisible", True, _show_parts)
    statusColumnVisible = stored("bool", "statusColumnVisible", True)
    layerColumnVisible = stored("bool", "layerColumnVisible", False)
    readOnly = stored("bool", "readOnly", False, _refill)
    filterBarVisible = stored("bool", "filterBarVisible", False)
    textFilter = stored("QString", "textFilter", "", _refill)
    segmentCount = Property("int", lambda self: len(self._shown_ids()))

    def segmentationNode(self) -> Any:
        return self._node

    def setSegmentationNode(self, node: Any) -> None:
        for subject, tag in self._observers:
            subject.RemoveObserver(tag)
        self._observers = []
        self._node = node
        if node is not None:
            segmentation = slicer.vtkSegmentation
            events = (
                segmentation.SegmentAdded,
                segmentation.SegmentRemoved,
                segmentation.SegmentModified,
                segmentation.SegmentsOrderModified,
            )
            for event in events:
                tag = node.AddObserver(event, lambda *_: self._fill())
                self._observers.append((node, tag))
        self._fill()

    def displayedSegmentIDs(self) -> tuple[str, ...]:
        return tuple(self._shown_ids())

    def _shown_ids(self) -> list[str]:
        if self._node is None:
            return []
        segmentation = self._node.GetSegmentation()
        wanted = self.textFilter.lower()
        found = segmentation.GetSegmentIDs()
        return [e for e in found if wanted in segmentation.GetSegment(e).GetName().lower()]

    def _fill(self) -> None:
        self._filling = True
        ids = self._shown_ids()
        self._list.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            self._fill_row(row, segment_id)
        self._filling = False

    def _fill_row(self, row: int, segment_id: str) -> None:
        segment = self._node.GetSegmentation().GetSegment(segment_id)
        display = self._node.GetDisplayNode()
        visible = QTableWidgetItem()
        shown = display is None or display.GetSegmentVisibility(segment_id)
        visible.setCheckState(Qt.Checked if shown else Qt.Unchecked)
        color, opacity = QTableWidgetItem(), QTableWidgetItem("1.00")
        color.setBackground(QColor.fromRgbF(*segment.GetColor()))
        if display is not None:
            opacity.setText(f"{display.GetSegmentOpacity3D(segment_id):.2f}")
        name = QTableWidgetItem(segment.GetName())
        name.setData(Qt.UserRole, segment_id)
        for column, item in enumerate((visible, color, opacity, name)):
            if self.readOnly:
                item.setFlags(item.flags() & ~Qt.ItemIsEditable)
            self._list.setItem(row, column, item)

    def _edited(self, item: QTableWidgetItem) -> None:
        if self._filling:
            return
        segment_id = self._list.item(item.row(), 3).data(Qt.UserRole)
        self.segmentAboutToBeModified.emit(segment_id)
        if item.column() == 3:
            self._node.GetSegmentation().GetSegment(segment_id).SetName(item.text())
        elif item.column() == 0 and self._node.GetDisplayNode() is not None:
            shown = item.checkState() == Qt.Checked
            self._node.GetDisplayNode().SetSegmentVisibility(segment_id, shown)

    def selectedSegmentIDs(self) -> tuple[str, ...]:
        rows = sorted({each.row() for each in self._list.selectedIndexes()})
        return tuple(self._list.item(row, 3).data(Qt.UserRole) for row in rows)

    def setSelectedSegmentIDs(self, ids: list[str]) -> None:
        self._list.clearSelection()
        mode = self._list.selectionMode
        self._list.setSelectionMode(QAbstractItemView.MultiSelection)
        for row, each in enumerate(self._shown_ids()):
            if each in ids:
                self._list.selectRow(row)
        self._list.setSelectionMode(mode)

    def clearSelection(self) -> None:
        self._list.clearSelection()

    clearSelectedSegments = clearSelection
