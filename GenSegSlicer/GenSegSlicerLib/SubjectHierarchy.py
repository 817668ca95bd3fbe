"""Position of nodes in the subject hierarchy."""

from __future__ import annotations

import slicer

_INSTANCES, _PATIENT_ID = "DICOM.instanceUIDs", "0010,0020"


def placeInSameFolder(node: slicer.vtkMRMLNode, other: slicer.vtkMRMLNode) -> None:
    """Move a node into the patient, study or folder of another node."""
    hierarchy = _hierarchyOf(other.GetScene())
    if hierarchy is not None:
        parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(other))
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(node), parent)


def studyOf(node: slicer.vtkMRMLNode) -> int | None:
    """Return the item ID of the study that contains a node, None if there is none."""
    return _ancestor(node, slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMLevelStudy())


def patientIDOf(node: slicer.vtkMRMLNode) -> str:
    """Return the DICOM patient ID of a node, or the item of a patient without ID; "" if unknown.

    Volumes that Slicer's DICOM module has loaded are below an item of their patient, and refer to
    their files in the DICOM database.
    """
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    item = _ancestor(node, constants.GetDICOMLevelPatient())
    if item is not None:
        hierarchy = _hierarchyOf(node.GetScene())
        stored = hierarchy.GetItemAttribute(item, constants.GetDICOMPatientIDAttributeName())
        return stored or hierarchy.GetItemUID(item, constants.GetDICOMUIDName()) or f"item {item}"
    instances = (node.GetAttribute(_INSTANCES) or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not instances or database is None or not database.isOpen:
        return ""
    return database.instanceValue(instances[0], _PATIENT_ID) or ""


def _ancestor(node: slicer.vtkMRMLNode, level: str) -> int | None:
    """Return the item ID of the patient or study that contains a node, None if there is none."""
    hierarchy = _hierarchyOf(node.GetScene())
    if hierarchy is None:
        return None
    item = hierarchy.GetItemAncestorAtLevel(hierarchy.GetItemByDataNode(node), level)
    return None if item == hierarchy.GetInvalidItemID() else item


def _hierarchyOf(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSubjectHierarchyNode | None:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
