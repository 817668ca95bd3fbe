"""Position of nodes in the subject hierarchy."""

from __future__ import annotations

import slicer


def placeInSameFolder(node: slicer.vtkMRMLNode, other: slicer.vtkMRMLNode) -> None:
    """Move a node into the patient, study or folder of another node."""
    hierarchy = _hierarchyOf(other.GetScene())
    if hierarchy is not None:
        parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(other))
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), parent)


def studyOf(node: slicer.vtkMRMLNode) -> int | None:
    """Return the item ID of the study that contains a node, None if there is none."""
    hierarchy = _hierarchyOf(node.GetScene())
    if hierarchy is None:
        return None
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy()
    item = hierarchy.GetItemAncestorAtLevel(hierarchy.GetItemByDataNode(node), level)
    return None if item == hierarchy.GetInvalidItemID() else item


def _hierarchyOf(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSubjectHierarchyNode | None:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
