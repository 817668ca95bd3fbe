"""Where nodes are in the subject hierarchy."""

from __future__ import annotations

import slicer


def placeBeside(node: slicer.vtkMRMLNode, other: slicer.vtkMRMLNode) -> None:
    """Move a node to where another one is: into its patient, study or folder."""
    hierarchy = _hierarchyOf(other.GetScene())
    if hierarchy is not None:
        parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(other))
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), parent)


def studyOf(node: slicer.vtkMRMLNode) -> int | None:
    """The item of the study that a node belongs to, None where it is in none."""
    hierarchy = _hierarchyOf(node.GetScene())
    if hierarchy is None:
        return None
    level = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy()
    item = hierarchy.GetItemAncestorAtLevel(hierarchy.GetItemByDataNode(node), level)
    return None if item == hierarchy.GetInvalidItemID() else item


def _hierarchyOf(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSubjectHierarchyNode | None:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
