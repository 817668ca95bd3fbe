"""What the application's subject hierarchy plugins do: data nodes get items and lose them."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from vtkmodules.util.misc import calldata_type

# Node class -> plugin that owns its items.
_OWNERS = {
    "vtkMRMLLabelMapVolumeNode": "LabelMaps",
    "vtkMRMLVolumeNode": "Volumes",
    "vtkMRMLSegmentationNode": "Segmentations",
    "vtkMRMLModelNode": "Models",
    "vtkMRMLMarkupsNode": "Markups",
    "vtkMRMLTransformNode": "Transforms",
    "vtkMRMLTableNode": "Tables",
    "vtkMRMLTextNode": "Texts",
    "vtkMRMLPlotChartNode": "Plots",
}


class SubjectHierarchyFollower:
    """Keeps the hierarchy in step with the scene's data nodes."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        answers = {
            scene.NodeAddedEvent: self._on_added,
            scene.NodeAboutToBeRemovedEvent: self._on_about_to_be_removed,
            scene.EndImportEvent: self._on_many_changed,
            scene.EndCloseEvent: self._on_many_changed,
            scene.EndBatchProcessEvent: self._on_many_changed,
        }
        for event, answer in answers.items():
            scene.AddObserver(event, answer)

    def _hierarchy(self) -> Any:
        return slicer.vtkMRMLSubjectHierarchyNode.ResolveSubjectHierarchy(self._scene)

    @calldata_type(vtk.VTK_OBJECT)
    def _on_added(self, _scene: Any, _event: str, node: Any) -> None:
        if not self._scene.IsBatchProcessing() and not self._scene.IsImporting():
            self._add(self._hierarchy(), node)

    @calldata_type(vtk.VTK_OBJECT)
    def _on_about_to_be_removed(self, _scene: Any, _event: str, node: Any) -> None:
        if self._scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = self._hierarchy()
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.RemoveItem(item, False, False)

    def _on_many_changed(self, *_: Any) -> None:
        hierarchy = self._hierarchy()
        for index in range(self._scene.GetNumberOfNodes()):
            self._add(hierarchy, self._scene.GetNthNode(index))

    def _add(self, hierarchy: Any, node: Any) -> None:
        owner = next((name for kind, name in _OWNERS.items() if node.IsA(kind)), None)
        known = node.GetHideFromEditors() or hierarchy.GetItemByDataNode(node)
        if owner is not None and not known:
            item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
            hierarchy.SetItemOwnerPluginName(item, owner)
