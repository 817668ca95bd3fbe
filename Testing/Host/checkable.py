"""Combo boxes whose items can be ticked."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

from .node_combo_box import qMRMLNodeComboBox
from .ui_loader import offered


@offered
class ctkCheckableComboBox(QComboBox):
    """A combo box that shows what is ticked in it."""

    returnRelease = Signal()
    checkedIndexesChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model().rowsInserted.connect(self._make_checkable)
        self.model().dataChanged.connect(self.onDataChanged)
        self.view().viewport().installEventFilter(self)

    def _make_checkable(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            self._set_state(self.model().index(row, 0), Qt.Unchecked)

    def _set_state(self, index: QModelIndex, state: Qt.CheckState) -> None:
        item = self.model().itemFromIndex(index)
        item.setCheckable(True)
        item.setCheckState(state)

    def onDataChanged(self, first: QModelIndex, last: QModelIndex) -> None:
        self.update()
        self.checkedIndexesChanged.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.MouseButtonRelease:
            index = self.view().indexAt(event.position().toPoint())
            if index.isValid():
                checked = self.checkState(index) == Qt.Checked
                self.setCheckState(index, Qt.Unchecked if checked else Qt.Checked)
                return True
        return super().eventFilter(watched, event)

    def checkableModel(self) -> Any:
        return self.model()

    def checkedIndexes(self) -> tuple[QModelIndex, ...]:
        indexes = (self.model().index(row, 0) for row in range(self.count))
        return tuple(each for each in indexes if self.checkState(each) == Qt.Checked)

    def checkState(self, index: QModelIndex) -> Qt.CheckState:
        return self.model().itemFromIndex(index).checkState()

    def setCheckState(self, index: QModelIndex, state: Qt.CheckState) -> None:
        self.model().itemFromIndex(index).setCheckState(state)

    def allChecked(self) -> bool:
        return len(self.checkedIndexes()) == self.count

    def noneChecked(self) -> bool:
        return not self.checkedIndexes()

    def _shown_text(self) -> str:
        if self.noneChecked():
            return "None"
        if self.allChecked():
            return "All"
        return ", ".join(str(each.data()) for each in self.checkedIndexes())

    def paintEvent(self, event: QPaintEvent) -> None:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self._shown_text()
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.CC_ComboBox, option)
        painter.drawControl(QStyle.CE_ComboBoxLabel, option)
        painter.end()


@offered
class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """Several nodes of the scene, ticked by their names."""

    checkedNodesChanged = Signal()
    list_class = ctkCheckableComboBox

    def __init__(self, parent: QWidget | None = None) -> None:
        self._checked: list[Any] = []
        self._restoring = False
        super().__init__(parent)
        for name in ("addEnabled", "removeEnabled", "editEnabled", "renameEnabled"):
            setattr(self, name, False)
        self._list.checkedIndexesChanged.connect(self._on_ticked)

    def on_reset(self) -> None:
        """List the nodes anew; the ticks stay with their nodes."""
        self._restoring = True
        super().on_reset()
        for node in self._checked:
            self.setCheckState(node, Qt.Checked)
        self._restoring = False
        self._on_ticked()

    def on_removed(self, node: Any, row: int) -> None:
        super().on_removed(node, row)
        self._on_ticked()

    def _on_ticked(self) -> None:
        if self._restoring:
            return
        checked = [each for each in self.nodes() if self.checkState(each) == Qt.Checked]
        if checked != self._checked:
            self._checked = checked
            self.checkedNodesChanged.emit()

    def _index(self, node: Any) -> QModelIndex | None:
        if node not in self.nodes():
            return None
        return self._list.model().index(self.nodes().index(node) + self._first_row(), 0)

    def checkState(self, node: Any) -> Qt.CheckState:
        index = self._index(node)
        return Qt.Unchecked if index is None else self._list.checkState(index)

    def setCheckState(self, node: Any, state: Qt.CheckState) -> None:
        index = self._index(node)
        if index is not None:
            self._list.setCheckState(index, state)

    def check(self, node: Any) -> None:
        self.setCheckState(node, Qt.Checked)

    def uncheck(self, node: Any) -> None:
        self.setCheckState(node, Qt.Unchecked)

    def checkedNodes(self) -> tuple[Any, ...]:
        return tuple(self._checked)

    def uncheckedNodes(self) -> tuple[Any, ...]:
        return tuple(each for each in self.nodes() if each not in self._checked)

    def allChecked(self) -> bool:
        return len(self._checked) == self.nodeCount()

    def noneChecked(self) -> bool:
        return not self._checked
