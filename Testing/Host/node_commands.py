"""What a node selector offers below its nodes: to create, rename, edit and delete one."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QInputDialog, QLineEdit


class NodeCommands:
    """The commands of a node selector."""

    def _add_commands(self) -> None:
        self._commands = {}
        if self.mrmlScene() is None:
            return
        kind = self.nodeTypeLabel(self.nodeTypes[0] if len(self.nodeTypes) == 1 else "")
        commands = {
            f"Rename current {kind}": (self.renameEnabled, self.renameCurrentNode),
            f"Edit current {kind}": (self.editEnabled, self.editCurrentNode),
            f"Create new {kind}": (self.addEnabled, self._add_by_user),
            f"Delete current {kind}": (self.removeEnabled, self.removeCurrentNode),
        }
        commands = {name: call for name, (enabled, call) in commands.items() if enabled}
        if commands:
            self._list.insertSeparator(self._list.count)
        for name, call in commands.items():
            self._commands[self._list.count] = call
            self._list.addItem(name)

    def nodeTypeLabel(self, node_type: str) -> str:
        scene = self.mrmlScene()
        label = scene.GetTypeDisplayNameByClassName(node_type) if scene is not None else ""
        return label or "node"

    def addNode(self, node_type: str | None = None) -> Any:
        """Add a node of the (first) type to the scene, as *Create new* does."""
        node_type = node_type or self.nodeTypes[0]
        scene = self.mrmlScene()
        node = scene.CreateNodeByClass(node_type)
        node.UnRegister(None)
        node.SetName(scene.GenerateUniqueName(self.baseName or self.nodeTypeLabel(node_type)))
        name, value = self._offered.attributes.get(node_type, ("", None))
        if name:
            node.SetAttribute(name, value or "")
        node = scene.AddNode(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _add_by_user(self) -> None:
        node = self.addNode()
        self.setCurrentNode(node)
        self.nodeAddedByUserAction.emit(node)

    def removeCurrentNode(self) -> None:
        if self._node is not None:
            self.mrmlScene().RemoveNode(self._node)

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
