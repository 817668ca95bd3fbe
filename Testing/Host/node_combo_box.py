"""qMRMLNodeComboBox: one node of the scene, chosen by its name."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from .node_commands import NodeCommands
from .properties import Property, stored
from .scene_nodes import SceneNodes
from .ui_loader import offered


@offered
class qMRMLNodeComboBox(NodeCommands, QWidget):
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
        self._node: Any = None
        self._requested: str | None = None  # before there is a scene
        self._commands: dict[int, Any] = {}
        self._offered = SceneNodes(self)
        self._list = self.list_class(self)
        self._list.setSizeAdjustPolicy(QComboBox.AdjustToMinimumContentsLengthWithIcon)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        self._list.activated.connect(self._activated)
        self.destroyed.connect(self._offered.stop)
        self.setEnabled(False)

    def _refilter(self) -> None:
        offered_nodes = self._offered
        offered_nodes.types = tuple(each for each in self.nodeTypes if each)
        offered_nodes.hidden_types = tuple(self.hideChildNodeTypes)
        offered_nodes.with_hidden = self.showHidden
        offered_nodes.with_child_types = self.showChildNodeTypes
        offered_nodes.refresh()

    def _relist(self) -> None:
        self.on_reset()

    nodeTypes = stored("QStringList", "nodeTypes", [], _refilter)
    showHidden = stored("bool", "showHidden", False, _refilter)
    showChildNodeTypes = stored("bool", "showChildNodeTypes", True, _refilter)
    hideChildNodeTypes = stored("QStringList", "hideChildNodeTypes", [], _refilter)
    baseName = stored("QString", "baseName", "")
    noneEnabled = stored("bool", "noneEnabled", False, _relist)
    addEnabled = stored("bool", "addEnabled", True, _relist)
    removeEnabled = stored("bool", "removeEnabled", True, _relist)
    editEnabled = stored("bool", "editEnabled", False, _relist)
    renameEnabled = stored("bool", "renameEnabled", False, _relist)
    interactionNodeSingletonTag = stored("QString", "interactionNodeSingletonTag", "Singleton")
    selectNodeUponCreation = stored("bool", "selectNodeUponCreation", True)
    noneDisplay = stored("QString", "noneDisplay", "None", _relist)
    sizeAdjustPolicy = stored("int", "sizeAdjustPolicy", 1)

    def _get_node_id(self) -> str:
        return self._node.GetID() if self._node is not None else ""

    def setCurrentNodeID(self, node_id: str | None) -> None:
        scene = self.mrmlScene()
        if scene is None:
            self._requested = node_id
        else:
            self.setCurrentNode(scene.GetNodeByID(node_id) if node_id else None)

    currentNodeID = Property("QString", _get_node_id, setCurrentNodeID)
    currentNodeId = Property("QString", _get_node_id, setCurrentNodeID)

    def mrmlScene(self) -> Any:
        return self._offered.scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self.mrmlScene():
            return
        self._offered.follow(scene)
        self.setEnabled(scene is not None)
        if scene is not None and self._requested:
            self.setCurrentNodeID(self._requested)
        elif self._offered.nodes and not self.noneEnabled:
            self._choose(self._offered.nodes[0])
        self._requested = None

    def on_reset(self) -> None:
        """List the nodes anew; the current node stays the current one."""
        self._list.clear()
        if self.noneEnabled:
            self._list.addItem(self.noneDisplay)
        self._list.addItems([self._offered.name(each) for each in self._offered.nodes])
        self._add_commands()
        if self._node is not None and self._node not in self._offered.nodes:
            self._choose(None)
        else:
            self._show_current()
            self._choose_the_only_row()

    def on_added(self, node: Any) -> None:
        self._list.insertItem(self._first_row() + len(self._offered.nodes) - 1, node.GetName())
        self._commands = {row + 1: call for row, call in self._commands.items()}
        self.nodeAdded.emit(node)
        self._choose_the_only_row()

    def on_removing(self, node: Any) -> None:
        self.nodeAboutToBeRemoved.emit(node)

    def on_removed(self, node: Any, row: int) -> None:
        """Forget a node. A QComboBox goes to the next row then, except from the first one."""
        self._list.removeItem(self._first_row() + row)
        self._commands = {each - 1: call for each, call in self._commands.items()}
        if node is not self._node:
            self._show_current()
            return
        rows = [None, *self._offered.nodes] if self.noneEnabled else self._offered.nodes
        place = self._first_row() + row
        self._choose(rows[min(place, len(rows) - 1)] if place > 0 else None)

    def on_renamed(self, node: Any, row: int) -> None:
        self._list.setItemText(self._first_row() + row, self._offered.name(node))
        if node is self._node:
            self.emitCurrentNodeChanged()  # Slicer's listens to the combo box's text

    def _first_row(self) -> int:
        return int(self.noneEnabled)

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """Offer nodes of the type only where they have the attribute (with the value)."""
        self._offered.attributes[node_type] = (name, None if value is None else str(value))
        self._offered.refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._offered.attributes.pop(node_type, None)
        self._offered.refresh()

    def _show_current(self) -> None:
        if self._node in self._offered.nodes:
            row = self._offered.nodes.index(self._node) + self._first_row()
        else:
            row = 0 if self.noneEnabled and self.mrmlScene() is not None else -1
        self._list.setCurrentIndex(row)

    def _activated(self, row: int) -> None:
        if row in self._commands:
            self._show_current()
            self._commands[row]()
            return
        node = self.nodeFromIndex(row - self._first_row())
        self._choose(node)
        self.nodeActivated.emit(node)

    def _choose_the_only_row(self) -> None:
        """A QComboBox goes to the first row that it gets, if there is nothing else in it."""
        if self._node is None and self._list.count == len(self._offered.nodes) == 1:
            self._choose(self._offered.nodes[0])

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
        """Choose a node (or its id's); one that is not offered counts as none."""
        if isinstance(node, str):
            self.setCurrentNodeID(node)
        elif self.mrmlScene() is None:
            self._requested = node.GetID() if node is not None else None
        else:
            self._choose(node if node in self._offered.nodes else None)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._choose(self.nodeFromIndex(index))

    def nodeCount(self) -> int:
        return len(self._offered.nodes)

    def nodeFromIndex(self, index: int) -> Any:
        nodes = self._offered.nodes
        return nodes[index] if 0 <= index < len(nodes) else None

    def nodes(self) -> tuple[Any, ...]:
        return tuple(self._offered.nodes)

    def comboBox(self) -> QComboBox:
        return self._list
