"""qMRMLNodeComboBox: one node of the scene, chosen by its name."""

from __future__ import annotations

from typing import Any, ClassVar

import vtk
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QLineEdit, QWidget
from vtkmodules.util.misc import calldata_type

from .properties import Property, stored
from .ui_loader import offered


@offered
class qMRMLNodeComboBox(QWidget):
    """Follows the scene: nodes that are added, renamed and removed appear, change and go."""

    currentNodeChanged = Signal(object)
    _current_node_valid = Signal(bool)
    currentNodeIDChanged = Signal(str)
    currentNodeRenamed = Signal(str)
    nodeAboutToBeEdited = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    signatures = {
        "currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged",
        "currentNodeChanged(bool)": "_current_node_valid",
        "nodeAboutToBeEdited(vtkMRMLNode*)": "nodeAboutToBeEdited",
        "nodeAboutToBeRemoved(vtkMRMLNode*)": "nodeAboutToBeRemoved",
        "nodeActivated(vtkMRMLNode*)": "nodeActivated",
        "nodeAdded(vtkMRMLNode*)": "nodeAdded",
        "nodeAddedByUser(vtkMRMLNode*)": "nodeAddedByUser",
        "nodeAddedByUserAction(vtkMRMLNode*)": "nodeAddedByUserAction",
    }

    list_class: ClassVar[type[QComboBox]] = QComboBox

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._tags: list[tuple[Any, int]] = []
        self._node: Any = None
        self._requested: str | None = None  # before there is a scene
        self._nodes: list[Any] = []
        self._node_tags: dict[Any, int] = {}
        self._commands: dict[int, Any] = {}
        self._filters: dict[str, tuple[str, str | None]] = {}
        self._list = self.list_class(self)
        self._list.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        self._list.activated.connect(self._activated)
        self.setEnabled(False)

    def _refresh(self) -> None:
        self._fill()

    nodeTypes = stored("QStringList", "nodeTypes", [], _refresh)
    showHidden = stored("bool", "showHidden", False, _refresh)
    showChildNodeTypes = stored("bool", "showChildNodeTypes", True, _refresh)
    hideChildNodeTypes = stored("QStringList", "hideChildNodeTypes", [], _refresh)
    baseName = stored("QString", "baseName", "")
    noneEnabled = stored("bool", "noneEnabled", False, _refresh)
    addEnabled = stored("bool", "addEnabled", True, _refresh)
    removeEnabled = stored("bool", "removeEnabled", True, _refresh)
    editEnabled = stored("bool", "editEnabled", False, _refresh)
    renameEnabled = stored("bool", "renameEnabled", False, _refresh)
    interactionNodeSingletonTag = stored("QString", "interactionNodeSingletonTag", "Singleton")
    selectNodeUponCreation = stored("bool", "selectNodeUponCreation", True)
    noneDisplay = stored("QString", "noneDisplay", "None", _refresh)
    sizeAdjustPolicy = stored("int", "sizeAdjustPolicy", 1)

    def _get_node_id(self) -> str:
        return self._node.GetID() if self._node is not None else ""

    def setCurrentNodeID(self, node_id: str | None) -> None:
        if self._scene is None:
            self._requested = node_id
            return
        self.setCurrentNode(self._scene.GetNodeByID(node_id) if node_id else None)

    currentNodeID = Property("QString", _get_node_id, setCurrentNodeID)
    currentNodeId = Property("QString", _get_node_id, setCurrentNodeID)

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self._scene:
            return
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags = []
        self._scene = scene
        self.setEnabled(scene is not None)
        if scene is not None:
            self._observe(scene)
        self._fill()
        if scene is not None and self._requested:
            self.setCurrentNodeID(self._requested)
        elif self._nodes and not self.noneEnabled:
            self._choose(self._nodes[0])
        self._requested = None

    def _observe(self, scene: Any) -> None:
        answers = {
            scene.NodeAddedEvent: self._on_added,
            scene.NodeAboutToBeRemovedEvent: self._on_about_to_be_removed,
            scene.NodeRemovedEvent: self._on_removed,
            scene.EndBatchProcessEvent: self._on_batch_end,
            scene.EndCloseEvent: self._on_batch_end,
            scene.EndImportEvent: self._on_batch_end,
        }
        self._tags = [(scene, scene.AddObserver(event, each)) for event, each in answers.items()]

    @calldata_type(vtk.VTK_OBJECT)
    def _on_added(self, _scene: Any, _event: str, node: Any) -> None:
        if not self._scene.IsBatchProcessing() and self._offers(node):
            self._fill()
            self.nodeAdded.emit(node)
            self._choose_the_only_row()

    @calldata_type(vtk.VTK_OBJECT)
    def _on_about_to_be_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if node in self._nodes:
            self.nodeAboutToBeRemoved.emit(node)

    @calldata_type(vtk.VTK_OBJECT)
    def _on_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if node not in self._nodes:
            return
        rows = [None, *self._nodes] if self.noneEnabled else list(self._nodes)
        row = rows.index(node)
        rows.remove(node)
        was_current = node is self._node
        self._fill()
        if was_current:  # a QComboBox goes to the next row, except from the first one
            self._choose(rows[min(row, len(rows) - 1)] if row > 0 else None)

    def _on_batch_end(self, *_: Any) -> None:
        self._fill()
        if self._node is not None and self._node not in self._nodes:
            self._choose(None)
        self._choose_the_only_row()

    def _on_node_modified(self, node: Any, _event: str) -> None:
        if node not in self._nodes or not self._offers(node):
            self._fill()
            return
        row = self._nodes.index(node) + bool(self.noneEnabled)
        name = node.GetName() or ""
        if self._list.itemText(row) != name:
            self._list.setItemText(row, name)
            if node is self._node:
                self.emitCurrentNodeChanged()  # Slicer's listens to the combo box's text

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """Offer nodes of the type only where they have the attribute (with the value)."""
        self._filters[node_type] = (name, None if value is None else str(value))
        self._fill()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._filters.pop(node_type, None)
        self._fill()

    def _offers(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        if any(node.IsA(each) for each in self.hideChildNodeTypes):
            return False
        return any(self._is_of_type(node, each) for each in self.nodeTypes)

    def _is_of_type(self, node: Any, node_type: str) -> bool:
        exact = node.GetClassName() == node_type
        if not (exact or (self.showChildNodeTypes and node.IsA(node_type))):
            return False
        name, value = self._filters.get(node_type, ("", None))
        if not name:
            return True
        found = node.GetAttribute(name)
        return found is not None and value in (None, found)

    def _fill(self) -> None:
        """List the scene's nodes anew; the current node stays the current one."""
        for node in self._nodes:
            node.RemoveObserver(self._node_tags.pop(node))
        self._nodes = []
        if self._scene is not None:
            count = self._scene.GetNumberOfNodes()
            nodes = (self._scene.GetNthNode(index) for index in range(count))
            self._nodes = [each for each in nodes if self._offers(each)]
        modified = vtk.vtkCommand.ModifiedEvent
        for node in self._nodes:
            self._node_tags[node] = node.AddObserver(modified, self._on_node_modified)
        self._list.clear()
        if self.noneEnabled:
            self._list.addItem(self.noneDisplay)
        self._list.addItems([each.GetName() or "" for each in self._nodes])
        self._add_commands()
        self._show_current()

    def _add_commands(self) -> None:
        kind = self._type_name()
        commands = {
            f"Create new {kind}": (self.addEnabled, self._add_by_user),
            f"Rename current {kind}": (self.renameEnabled, self.renameCurrentNode),
            f"Edit current {kind}...": (self.editEnabled, self.editCurrentNode),
            f"Delete current {kind}": (self.removeEnabled, self.removeCurrentNode),
        }
        offered_commands = {name: call for name, (yes, call) in commands.items() if yes}
        self._commands = {}
        if offered_commands and self._scene is not None:
            self._list.insertSeparator(self._list.count)
            for name, call in offered_commands.items():
                self._commands[self._list.count] = call
                self._list.addItem(name)

    def _type_name(self) -> str:
        if self._scene is None or not self.nodeTypes:
            return "node"
        return self._scene.GetTagByClassName(self.nodeTypes[0]) or "node"

    def _show_current(self) -> None:
        if self._node in self._nodes:
            row = self._nodes.index(self._node) + bool(self.noneEnabled)
        else:
            row = 0 if self.noneEnabled and self._scene is not None else -1
        self._list.setCurrentIndex(row)

    def _activated(self, row: int) -> None:
        if row in self._commands:
            self._show_current()
            self._commands[row]()
            return
        place = row - bool(self.noneEnabled)
        node = self._nodes[place] if 0 <= place < len(self._nodes) else None
        self._choose(node)
        self.nodeActivated.emit(node)

    def _choose_the_only_row(self) -> None:
        """A QComboBox goes to the first row that it gets, if there is nothing else in it."""
        if self._node is None and self._list.count == len(self._nodes) == 1:
            self._choose(self._nodes[0])

    def _choose(self, node: Any) -> None:
        changed = node is not self._node
        self._node = node
        self._show_current()
        if changed:
            self.emitCurrentNodeChanged()

    def emitCurrentNodeChanged(self) -> None:
        self.currentNodeChanged.emit(self._node)
        self._current_node_valid.emit(self._node is not None)
        self.currentNodeIDChanged.emit(self.currentNodeID)

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node (or its name's or id's); one that is not offered counts as none."""
        if isinstance(node, str):
            self.setCurrentNodeID(node)
        elif self._scene is None:
            self._requested = node.GetID() if node is not None else None
        else:
            self._choose(node if node in self._nodes else None)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._choose(self._nodes[index] if 0 <= index < len(self._nodes) else None)

    def nodeCount(self) -> int:
        return len(self._nodes)

    def nodeFromIndex(self, index: int) -> Any:
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    def nodes(self) -> tuple[Any, ...]:
        return tuple(self._nodes)

    def nodeTypeLabel(self, node_type: str) -> str:
        return self._type_name()

    def addNode(self, node_type: str | None = None) -> Any:
        """Add a node of the (first) type to the scene, as *Create new* does."""
        node_type = node_type or self.nodeTypes[0]
        base = self.baseName or self._type_name()
        name = self._scene.GenerateUniqueName(base)
        node = self._scene.AddNewNodeByClass(node_type, name)
        for attribute, value in [self._filters.get(node_type, ("", None))]:
            if attribute:
                node.SetAttribute(attribute, value or "")
        self._fill()
        if self.selectNodeUponCreation:
            self._choose(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _add_by_user(self) -> None:
        node = self.addNode()
        self._choose(node)
        self.nodeAddedByUserAction.emit(node)

    def removeCurrentNode(self) -> None:
        if self._node is not None:
            self._scene.RemoveNode(self._node)

    def renameCurrentNode(self) -> None:
        if self._node is None:
            return
        name, agreed = QInputDialog.getText(
            self, "Rename", "New name:", QLineEdit.Normal, self._node.GetName()
        )
        if agreed and name:
            self._node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def editCurrentNode(self) -> None:
        self.nodeAboutToBeEdited.emit(self._node)

    def comboBox(self) -> QComboBox:
        return self._list
