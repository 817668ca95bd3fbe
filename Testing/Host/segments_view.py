"""qMRMLSegmentsTableView: the segments of a segmentation, with their visibility and colors."""

from __future__ import annotations

from typing import Any

import slicer
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .mrml_widgets import SceneHolder
from .properties import Property, stored
from .ui_loader import offered


@offered
class qMRMLSegmentsTableView(SceneHolder, QWidget):
    """The segments of a segmentation: visibility, color, opacity and name."""

    mrmlSceneChanged = Signal(object)
    segmentAboutToBeModified = Signal(str)
    selectionChanged = Signal(object, object)
    signatures = {
        "mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged",
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
