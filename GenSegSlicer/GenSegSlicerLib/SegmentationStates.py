"""Whether a segmentation is a draft of a model or was checked by the user, stored with its node."""

from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import slicer
import vtk

from GenSegLib.annotation.folder import CaseState
from GenSegSlicerLib.Geometry import arrayFromMatrix
from GenSegSlicerLib.SegmentNodes import MODEL_ATTRIBUTE
from GenSegSlicerLib.Segments import BINARY, isSegmentation, segmentsOf, segmentTimes, voxelsOf

STATE_ATTRIBUTE = "GenSeg.State"
"""Node attribute with a `CaseState`, of segmentations that the annotation loop has opened."""

PREDICTION_ATTRIBUTE = "GenSeg.Prediction"
"""Node attribute with the size and position of each segment as the model predicted it."""

SAVED_ATTRIBUTE = "GenSeg.Saved"
"""Node attribute with the time at which a segmentation was written to or read from the annotation
folder, which shows whether that has a newer one than a scene."""

_TOLERANCE_MM = 0.01

# Whether segmentations were edited by node ID, with what that was found for.
_edited: dict[str, tuple[object, bool]] = {}


def setState(node: slicer.vtkMRMLSegmentationNode, state: CaseState) -> None:
    """Store the state of a segmentation with its node."""
    node.SetAttribute(STATE_ATTRIBUTE, state.value)


def setSavedTime(node: slicer.vtkMRMLNode, seconds: float) -> None:
    """Store that a segmentation is what the annotation folder has since a time (of 1970)."""
    node.SetAttribute(SAVED_ATTRIBUTE, repr(seconds))


def isOlderThan(node: slicer.vtkMRMLNode, seconds: float) -> bool:
    """Return whether what was saved at a time is newer than a segmentation; False if unknown."""
    with suppress(ValueError):  # edited by another program
        return float(node.GetAttribute(SAVED_ATTRIBUTE) or seconds) < seconds
    return False


def stateOf(node: slicer.vtkMRMLNode) -> CaseState:
    """Return the state of a segmentation: what is not of a model was drawn by the user."""
    stored = node.GetAttribute(STATE_ATTRIBUTE)
    if stored in [state.value for state in CaseState]:
        return CaseState(stored)
    if node.GetAttribute(MODEL_ATTRIBUTE):
        return CaseState.DRAFT
    return CaseState.CHECKED if _hasSegments(node) else CaseState.TODO


def isDrawn(node: slicer.vtkMRMLNode) -> bool:
    """Return whether the user drew, corrected or accepted a segmentation, so that it can train.

    A draft of the annotation loop counts once it is accepted, since it may be half corrected; a
    prediction of *Apply* counts once it was edited.
    """
    if not isSegmentation(node):
        return True
    if node.GetAttribute(STATE_ATTRIBUTE):
        return stateOf(node) is CaseState.CHECKED
    return not node.GetAttribute(MODEL_ATTRIBUTE) or isEdited(node)


def rememberPrediction(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Store how the segments of a prediction are, so that `isEdited` notices changes."""
    node.SetAttribute(PREDICTION_ATTRIBUTE, json.dumps(_measure(node)))


def isEdited(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return whether the voxels of a prediction were changed; False if it was not remembered."""
    stored, key = node.GetAttribute(PREDICTION_ATTRIBUTE), node.GetID()
    if not stored:
        return False
    version = stored, segmentTimes(node)
    if key not in _edited or _edited[key][0] != version:
        _edited[key] = version, _differs(stored, node)
    return _edited[key][1]


def _differs(stored: str, node: slicer.vtkMRMLSegmentationNode) -> bool:
    before, after = np.array(json.loads(stored)), np.array(_measure(node))
    return before.shape != after.shape or bool(
        (np.abs(before - after) > _TOLERANCE_MM).any()  # files of scenes round positions
    )


def _hasSegments(node: slicer.vtkMRMLNode) -> bool:
    return not isSegmentation(node) or node.GetSegmentation().GetNumberOfSegments() > 0


def _measure(node: slicer.vtkMRMLSegmentationNode) -> list[list[float]]:
    """Number of voxels and centroid in mm of each segment."""
    measures = []
    for each in segmentsOf(node):
        segment = node.GetSegmentation().GetSegment(each.key)
        image = segment.GetRepresentation(BINARY)
        mask = np.zeros((0, 0, 0), bool)
        if image is not None:
            mask = voxelsOf(image) == segment.GetLabelValue()
        count = int(np.count_nonzero(mask))
        center = _centroid(mask, count, image) if count else [0.0, 0.0, 0.0]
        measures.append([float(count), *center])
    return measures


def _centroid(mask: np.ndarray, count: int, image: slicer.vtkOrientedImageData) -> list[float]:
    index = [1.0]
    for axis, start in zip(range(3), image.GetExtent()[4::-2]):  # k, j, i
        others = tuple(other for other in range(3) if other != axis)
        profile = np.count_nonzero(mask, axis=others)
        index.insert(0, start + float(profile @ np.arange(len(profile))) / count)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return [float(part) for part in (arrayFromMatrix(matrix) @ index)[:3]]
