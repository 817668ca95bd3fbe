"""The nodes of a scene that a selector offers, kept up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import vtk
from vtkmodules.util.misc import calldata_type


class Listener(Protocol):
    """Who is told of changes. Rows count the offered nodes."""

    def on_reset(self) -> None: ...

    def on_added(self, node: Any) -> None: ...

    def on_removing(self, node: Any) -> None: ...

    def on_removed(self, node: Any, row: int) -> None: ...

    def on_renamed(self, node: Any, row: int) -> None: ...


class SceneNodes:
    """Follows a scene: what is offered is listed in the scene's order.

    Args:
        listener: who is told.
    """

    def __init__(self, listener: Listener) -> None:
        self.nodes: list[Any] = []
        self.types: tuple[str, ...] = ()
        self.hidden_types: tuple[str, ...] = ()
        self.with_hidden = False
        self.with_child_types = True
        self.attributes: dict[str, tuple[str, str | None]] = {}
        self.scene: Any = None
        self._listener = listener
        self._observers: list[tuple[Any, int]] = []
        self._node_observers: dict[Any, int] = {}
        self._names: dict[Any, str] = {}

    def follow(self, scene: Any) -> None:
        """Offer the nodes of a scene, or of none."""
        self.stop()
        self.scene = scene
        if scene is not None:
            answers: dict[Any, Callable] = {
                scene.NodeAddedEvent: self._on_added,
                scene.NodeAboutToBeRemovedEvent: self._on_about_to_be_removed,
                scene.NodeRemovedEvent: self._on_removed,
                scene.EndBatchProcessEvent: self._on_many_changed,
                scene.EndCloseEvent: self._on_many_changed,
                scene.EndImportEvent: self._on_many_changed,
            }
            self._observers = [(scene, scene.AddObserver(e, f)) for e, f in answers.items()]
        self.refresh()

    def stop(self) -> None:
        """Let go of the scene and its nodes; the listener hears no more."""
        for subject, tag in self._observers:
            subject.RemoveObserver(tag)
        self._observers = []
        for node in list(self.nodes):
            self._forget(node)
        self.scene = None

    def refresh(self) -> None:
        """Look at the whole scene again."""
        count = self.scene.GetNumberOfNodes() if self.scene is not None else 0
        offered = [n for n in (self.scene.GetNthNode(i) for i in range(count)) if self._offers(n)]
        for node in [each for each in self.nodes if each not in offered]:
            self._forget(node)
        for node in [each for each in offered if each not in self._node_observers]:
            self._remember(node)
        self.nodes = offered
        self._listener.on_reset()

    def _remember(self, node: Any) -> None:
        self.nodes.append(node)
        self._names[node] = node.GetName() or ""
        modified = vtk.vtkCommand.ModifiedEvent
        self._node_observers[node] = node.AddObserver(modified, self._on_modified)

    def _forget(self, node: Any) -> None:
        self.nodes.remove(node)
        self._names.pop(node)
        node.RemoveObserver(self._node_observers.pop(node))

    def name(self, node: Any) -> str:
        return self._names[node]

    def _offers(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.with_hidden:
            return False
        if any(node.IsA(each) for each in self.hidden_types):
            return False
        return any(self._is_of_type(node, each) for each in self.types)

    def _is_of_type(self, node: Any, node_type: str) -> bool:
        exact = node.GetClassName() == node_type
        if not (exact or (self.with_child_types and node.IsA(node_type))):
            return False
        name, value = self.attributes.get(node_type, ("", None))
        if not name:
            return True
        found = node.GetAttribute(name)
        return found is not None and value in (None, found)

    @calldata_type(vtk.VTK_OBJECT)
    def _on_added(self, _scene: Any, _event: str, node: Any) -> None:
        if not self.scene.IsBatchProcessing() and self._offers(node):
            self._remember(node)
            self._listener.on_added(node)

    @calldata_type(vtk.VTK_OBJECT)
    def _on_about_to_be_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if node in self._node_observers:
            self._listener.on_removing(node)

    @calldata_type(vtk.VTK_OBJECT)
    def _on_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if node in self._node_observers:
            row = self.nodes.index(node)
            self._forget(node)
            self._listener.on_removed(node, row)

    def _on_many_changed(self, *_: Any) -> None:
        self.refresh()

    def _on_modified(self, node: Any, _event: str) -> None:
        if not self._offers(node):
            self.refresh()
            return
        name = node.GetName() or ""
        if name != self._names[node]:
            self._names[node] = name
            self._listener.on_renamed(node, self.nodes.index(node))
