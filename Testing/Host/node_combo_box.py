"""qMRMLNodeComboBox: select a node of the scene by name, and commands for that node."""

from __future__ import annotations

from typing import Any, ClassVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QLineEdit, QWidget

from .properties import Property, registered, stored
from .scene_nodes import SceneNodes


class NodeCommands:
    """The entries below the nodes: rename, edit, create and delete."""

    def _add_commands(self) -> None:
        self._commands = {}
        if self.mrmlScene() is None:
            return
        label = self.nodeTypeLabel(self.nodeTypes[0] if len(self.nodeTypes) == 1 else "")
        commands = {
            f"Rename current {label}": (self.renameEnabled, self.renameCurrentNode),
            f"Edit current {label}": (self.editEnabled, self.editCurrentNode),
            f"Create new {label}": (self.addEnabled, self._create_by_user),
            f"Delete current {label}": (self.removeEnabled, self.removeCurrentNode),
        }
        enabled = {name: call for name, (is_enabled, call) in commands.items() if is_enabled}
        if enabled:
            self._list.insertSeparator(self._list.count)
        for name, call in enabled.items():
            self._commands[self._list.count] = call
            self._list.addItem(name)

    def nodeTypeLabel(self, node_type: str) -> str:
        scene = self.mrmlScene()
        label = scene.GetTypeDisplayNameByClassName(node_type) if scene is not None else ""
        return label or "node"

    def addNode(self, node_type: str | None = None) -> Any:
        """Add a node of the (first) type to the scene."""
        node_type = node_type or self.nodeTypes[0]
        scene = self.mrmlScene()
        node = scene.CreateNodeByClass(node_type)
        node.UnRegister(None)
        node.SetName(scene.GenerateUniqueName(self.baseName or self.nodeTypeLabel(node_type)))
        name, value = self._listed.attributes.get(node_type, ("", None))
        if name:
            node.SetAttribute(name, value or "")
        node = scene.AddNode(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _create_by_user(self) -> None:
        node = self.addNode()
        self.setCurrentNode(node)
        self.nodeAddedByUserAction.emit(node)

    def removeCurrentNode(self) -> None:
        if self._node is not None:
            self.mrmlScene().RemoveNode(self._node)

    def renameCurrentNode(self) -> None:
        if self._node is None:
            return
        name, accepted = QInputDialog.getText(
            self, "Rename", "New name:", QLineEdit.Normal, self._node.GetName()
        )
        if accepted and name:
            self._node.SetName(name)
            self.currentNodeRenamed.emit(name)

    def editCurrentNode(self) -> None:
        self.nodeAboutToBeEdited.emit(self._node)


@registered
class qMRMLNodeComboBox(NodeCommands, QWidget):
    """A combo box of the scene's nodes."""

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
    signatures = {"currentNodeChanged(bool)": "_current_node_valid"} | {
        f"{name}(vtkMRMLNode*)": name
        for name in (
            *("currentNodeChanged", "nodeAboutToBeEdited", "nodeAboutToBeRemoved", "nodeAdded"),
            *("nodeActivated", "nodeAddedByUser", "nodeAddedByUserAction"),
        )
    }
    list_class: ClassVar[type[QComboBox]] = QComboBox

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._pending_id: str | None = None  # set before there is a scene
        self._commands: dict[int, Any] = {}
        self._listed = SceneNodes(self)
        self._list = self.list_class(self)
        self._list.setSizeAdjustPolicy(QComboBox.AdjustToContentsOnFirstShow)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._list)
        self._list.activated.connect(self._activated)
        self.destroyed.connect(self._listed.stop)
        self.setEnabled(False)

    def _filter(self) -> None:
        listed = self._listed
        listed.types = tuple(each for each in self.nodeTypes if each)
        listed.excluded_types = tuple(self.hideChildNodeTypes)
        listed.include_hidden = self.showHidden
        listed.include_derived = self.showChildNodeTypes
        listed.refresh()

    def _relist(self) -> None:
        self.on_reset()

    def _get_size_adjust_policy(self) -> int:
        return int(self._list.sizeAdjustPolicy.value)

    def _set_size_adjust_policy(self, policy: int) -> None:
        self._list.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy(policy))

    nodeTypes = stored("QStringList", "nodeTypes", [], _filter)
    showHidden = stored("bool", "showHidden", False, _filter)
    showChildNodeTypes = stored("bool", "showChildNodeTypes", True, _filter)
    hideChildNodeTypes = stored("QStringList", "hideChildNodeTypes", [], _filter)
    baseName = stored("QString", "baseName", "")
    noneEnabled = stored("bool", "noneEnabled", False, _relist)
    addEnabled = stored("bool", "addEnabled", True, _relist)
    removeEnabled = stored("bool", "removeEnabled", True, _relist)
    editEnabled = stored("bool", "editEnabled", False, _relist)
    renameEnabled = stored("bool", "renameEnabled", False, _relist)
    interactionNodeSingletonTag = stored("QString", "interactionNodeSingletonTag", "Singleton")
    selectNodeUponCreation = stored("bool", "selectNodeUponCreation", True)
    noneDisplay = stored("QString", "noneDisplay", "None", _relist)
    sizeAdjustPolicy = Property("int", _get_size_adjust_policy, _set_size_adjust_policy)

    def _get_node_id(self) -> str:
        return self._node.GetID() if self._node is not None else ""

    def setCurrentNodeID(self, node_id: str | None) -> None:
        scene = self.mrmlScene()
        if scene is None:
            self._pending_id = node_id
        else:
            self.setCurrentNode(scene.GetNodeByID(node_id) if node_id else None)

    currentNodeID = Property("QString", _get_node_id, setCurrentNodeID)
    currentNodeId = Property("QString", _get_node_id, setCurrentNodeID)

    def mrmlScene(self) -> Any:
        return self._listed.scene

    def setMRMLScene(self, scene: Any) -> None:
        if scene is self.mrmlScene():
            return
        self._listed.observe(scene)
        self.setEnabled(scene is not None)
        if scene is not None and self._pending_id:
            self.setCurrentNodeID(self._pending_id)
        elif self._listed.nodes and not self.noneEnabled:
            self._select(self._listed.nodes[0])
        self._pending_id = None

    def on_reset(self) -> None:
        """List all nodes again; the current node stays selected."""
        self._list.clear()
        if self.noneEnabled:
            self._list.addItem(self.noneDisplay)
        self._list.addItems([self._listed.name(each) for each in self._listed.nodes])
        self._add_commands()
        if self._node is not None and self._node not in self._listed.nodes:
            self._select(None)
        else:
            self._show_current()
            self._select_the_only_row()

    def on_added(self, node: Any) -> None:
        self._list.insertItem(self._first_row() + len(self._listed.nodes) - 1, node.GetName())
        self._commands = {row + 1: call for row, call in self._commands.items()}
        self.nodeAdded.emit(node)
        self._select_the_only_row()

    def on_about_to_be_removed(self, node: Any) -> None:
        self.nodeAboutToBeRemoved.emit(node)

    def on_removed(self, node: Any, row: int) -> None:
        """Remove a row. As in QComboBox, the next row is selected unless it was the first one."""
        row += self._first_row()
        self._list.removeItem(row)
        self._commands = {each - 1: call for each, call in self._commands.items()}
        if node is not self._node:
            self._show_current()
            return
        rows = [None, *self._listed.nodes] if self.noneEnabled else self._listed.nodes
        self._select(rows[min(row, len(rows) - 1)] if row > 0 else None)

    def on_renamed(self, node: Any, row: int) -> None:
        self._list.setItemText(self._first_row() + row, self._listed.name(node))
        if node is self._node:
            self.emitCurrentNodeChanged()  # Slicer's observes the text of the combo box

    def _first_row(self) -> int:
        return int(self.noneEnabled)

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:
        """List nodes of the type only if they have the attribute (with the value)."""
        self._listed.attributes[node_type] = (name, None if value is None else str(value))
        self._listed.refresh()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._listed.attributes.pop(node_type, None)
        self._listed.refresh()

    def _show_current(self) -> None:
        if self._node in self._listed.nodes:
            row = self._listed.nodes.index(self._node) + self._first_row()
        else:
            row = 0 if self.noneEnabled and self.mrmlScene() is not None else -1
        self._list.setCurrentIndex(row)

    def _activated(self, row: int) -> None:
        if row in self._commands:
            self._show_current()
            self._commands[row]()
            return
        node = self.nodeFromIndex(row - self._first_row())
        self._select(node)
        self.nodeActivated.emit(node)

    def _select_the_only_row(self) -> None:
        """A QComboBox selects the first row that is added to it while it is empty."""
        if self._node is None and self._list.count == len(self._listed.nodes) == 1:
            self._select(self._listed.nodes[0])

    def _select(self, node: Any) -> None:
        has_changed = node is not self._node
        self._node = node
        self._show_current()
        if has_changed:
            self.emitCurrentNodeChanged()

    def emitCurrentNodeChanged(self) -> None:
        self.currentNodeChanged.emit(self._node)
        self._current_node_valid.emit(self._node is not None)
        self.currentNodeIDChanged.emit(self.currentNodeID)

    def currentNode(self) -> Any:
        return self._node

    def setCurrentNode(self, node: Any) -> None:
        """Select a node (or the node of an ID); one that is not listed counts as none.

        Slicer's presses Enter in the list of its combo box, so that another node is activated, too.
        """
        if isinstance(node, str):
            self.setCurrentNodeID(node)
        elif self.mrmlScene() is None:
            self._pending_id = node.GetID() if node is not None else None
        else:
            is_activated = node is not self._node and node in self._listed.nodes
            self._select(node if node in self._listed.nodes else None)
            if is_activated:
                self.nodeActivated.emit(node)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._select(self.nodeFromIndex(index))

    def nodeCount(self) -> int:
        return len(self._listed.nodes)

    def nodeFromIndex(self, index: int) -> Any:
        nodes = self._listed.nodes
        return nodes[index] if 0 <= index < len(nodes) else None

    def nodes(self) -> tuple[Any, ...]:
        return tuple(self._listed.nodes)

    def comboBox(self) -> QComboBox:
        return self._list
