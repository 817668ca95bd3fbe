"""The scene's nodes that a selector lists, updated with the scene."""

from __future__ import annotations

from typing import Any, Protocol

import vtk
from vtkmodules.util.misc import calldata_type


class Listener(Protocol):
    """Receives changes of the list; rows index the listed nodes."""

    def on_reset(self) -> None: ...

    def on_added(self, node: Any) -> None: ...

    def on_about_to_be_removed(self, node: Any) -> None: ...

    def on_removed(self, node: Any, row: int) -> None: ...

    def on_renamed(self, node: Any, row: int) -> None: ...


class SceneNodes:
    """List the nodes of a scene that pass filters, in the scene's order.

    Attributes:
        nodes: listed nodes.
        types: node classes to list.
        excluded_types: node classes to exclude.
        include_hidden: list nodes that are hidden from editors too.
        include_derived: list nodes of derived classes too.
        attributes: required attribute by node class: name, and value or None for any.
    """

    def __init__(self, listener: Listener) -> None:
        self.nodes: list[Any] = []
        self.types: tuple[str, ...] = ()
        self.excluded_types: tuple[str, ...] = ()
        self.include_hidden = False
        self.include_derived = True
        self.attributes: dict[str, tuple[str, str | None]] = {}
        self.scene: Any = None
        self._listener = listener
        self._scene_tags: list[int] = []
        self._node_tags: dict[Any, int] = {}
        self._names: dict[Any, str] = {}

    def observe(self, scene: Any) -> None:
        """List the nodes of a scene, or of none."""
        self.stop()
        self.scene = scene
        if scene is not None:
            callbacks = {
                scene.NodeAddedEvent: self._added,
                scene.NodeAboutToBeRemovedEvent: self._about_to_be_removed,
                scene.NodeRemovedEvent: self._removed,
                scene.EndBatchProcessEvent: self.refresh,
                scene.EndCloseEvent: self.refresh,
                scene.EndImportEvent: self.refresh,
            }
            self._scene_tags = [scene.AddObserver(*each) for each in callbacks.items()]
        self.refresh()

    def stop(self) -> None:
        """Remove all observers."""
        for tag in self._scene_tags:
            self.scene.RemoveObserver(tag)
        self._scene_tags = []
        for node in list(self.nodes):
            self._unlist(node)
        self.scene = None

    def refresh(self, *_: Any) -> None:
        """Filter all nodes of the scene again."""
        count = self.scene.GetNumberOfNodes() if self.scene is not None else 0
        listed = [n for n in (self.scene.GetNthNode(i) for i in range(count)) if self._passes(n)]
        for node in [each for each in self.nodes if each not in listed]:
            self._unlist(node)
        for node in [each for each in listed if each not in self._node_tags]:
            self._list(node)
        self.nodes = listed
        self._listener.on_reset()

    def _list(self, node: Any) -> None:
        self.nodes.append(node)
        self._names[node] = node.GetName() or ""
        self._node_tags[node] = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._modified)

    def _unlist(self, node: Any) -> None:
        self.nodes.remove(node)
        self._names.pop(node)
        node.RemoveObserver(self._node_tags.pop(node))

    def name(self, node: Any) -> str:
        return self._names[node]

    def _passes(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.include_hidden:
            return False
        if any(node.IsA(each) for each in self.excluded_types):
            return False
        return any(self._is_of_type(node, each) for each in self.types)

    def _is_of_type(self, node: Any, node_type: str) -> bool:
        is_exact = node.GetClassName() == node_type
        if not (is_exact or (self.include_derived and node.IsA(node_type))):
            return False
        name, value = self.attributes.get(node_type, ("", None))
        if not name:
            return True
        found = node.GetAttribute(name)
        return found is not None and value in (None, found)

    @calldata_type(vtk.VTK_OBJECT)
    def _added(self, _scene: Any, _event: str, node: Any) -> None:
        if not self.scene.IsBatchProcessing() and self._passes(node):
            self._list(node)
            self._listener.on_added(node)

    @calldata_type(vtk.VTK_OBJECT)
    def _about_to_be_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if node in self._node_tags:
            self._listener.on_about_to_be_removed(node)

    @calldata_type(vtk.VTK_OBJECT)
    def _removed(self, _scene: Any, _event: str, node: Any) -> None:
        if node in self._node_tags:
            row = self.nodes.index(node)
            self._unlist(node)
            self._listener.on_removed(node, row)

    def _modified(self, node: Any, _event: str) -> None:
        if not self._passes(node):
            self.refresh()
            return
        name = node.GetName() or ""
        if name != self._names[node]:
            self._names[node] = name
            self._listener.on_renamed(node, self.nodes.index(node))
