"""Combo boxes whose items can be checked."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt, Signal
from PySide6.QtWidgets import QComboBox, QWidget

from .node_combo_box import qMRMLNodeComboBox
from .properties import registered


class CheckableComboBox(QComboBox):
    """A combo box of checkable items."""

    checkedIndexesChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.model().rowsInserted.connect(self._make_checkable)
        self.model().dataChanged.connect(lambda *_: self.checkedIndexesChanged.emit())
        self.view().viewport().installEventFilter(self)

    def _make_checkable(self, parent: QModelIndex, first: int, last: int) -> None:
        for row in range(first, last + 1):
            item = self.model().item(row)
            item.setCheckable(True)
            item.setCheckState(Qt.Unchecked)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.MouseButtonRelease:
            index = self.view().indexAt(event.position().toPoint())
            if index.isValid():
                is_checked = self.checkState(index) == Qt.Checked
                self.setCheckState(index, Qt.Unchecked if is_checked else Qt.Checked)
                return True
        return super().eventFilter(watched, event)

    def checkState(self, index: QModelIndex) -> Qt.CheckState:
        return self.model().itemFromIndex(index).checkState()

    def setCheckState(self, index: QModelIndex, state: Qt.CheckState) -> None:
        self.model().itemFromIndex(index).setCheckState(state)


@registered
class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """A combo box of checkable nodes of the scene."""

    checkedNodesChanged = Signal()
    list_class = CheckableComboBox

    def __init__(self, parent: QWidget | None = None) -> None:
        self._checked: list[Any] = []
        self._is_restoring = False
        super().__init__(parent)
        for name in ("addEnabled", "removeEnabled", "editEnabled", "renameEnabled"):
            setattr(self, name, False)
        self._list.checkedIndexesChanged.connect(self._update_checked)

    def on_reset(self) -> None:
        """List all nodes again; the same nodes stay checked."""
        self._is_restoring = True
        super().on_reset()
        for node in self._checked:
            self.setCheckState(node, Qt.Checked)
        self._is_restoring = False
        self._update_checked()

    def on_removed(self, node: Any, row: int) -> None:
        super().on_removed(node, row)
        self._update_checked()

    def _update_checked(self) -> None:
        if self._is_restoring:
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
