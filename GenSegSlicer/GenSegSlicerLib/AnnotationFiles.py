"""Files of the annotation loop: labels, drafts and corrections of its cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import AnnotationFolder, CaseEntry, CaseState
from GenSegLib.annotation.records import draft_dice
from GenSegLib.files import remove, write_json
from GenSegLib.presets import Preset
from GenSegSlicerLib.AnnotationCases import (
    CASE_ATTRIBUTE,
    AnnotationCase,
    contentOf,
)
from GenSegSlicerLib.Geometry import fileIJKToRAS
from GenSegSlicerLib.ImageFiles import orientedImage, writeImage
from GenSegSlicerLib.LabelFiles import readLabelImage
from GenSegSlicerLib.LabelImages import rasterizeSegments
from GenSegSlicerLib.SegmentationFiles import writeLabel
from GenSegSlicerLib.SegmentationStates import setState
from GenSegSlicerLib.SegmentClasses import SegmentOccurrence, suggestClasses
from GenSegSlicerLib.SegmentNodes import (
    SegmentStyle,
    addSegments,
    newSegmentation,
    resetToVolume,
)
from GenSegSlicerLib.Segments import segmentsOf, voxelsOf
from GenSegSlicerLib.TrainingPair import PERSON_ATTRIBUTE
from GenSegSlicerLib.VolumeFiles import requireFiniteVoxels, requireUsableVolume, writeVolume


def classMapOf(
    node: slicer.vtkMRMLNode, chosen: Mapping[str, str], known: Sequence[str], preset: Preset
) -> dict[str, str]:
    """Return the class of each segment name of a segmentation.

    Args:
        node: the segmentation.
        chosen: classes that the user has chosen, "" for none.
        known: classes of the model and of the checked cases; segments of that name belong to them.
        preset: suggests classes for the others.
    """
    names = [segment.name for segment in segmentsOf(node)]
    new = [
        SegmentOccurrence(each.name, each.terminology, 1)
        for each in segmentsOf(node)
        if each.name not in chosen and each.name not in known
    ]
    suggested = suggestClasses(new, preset)
    found = {name: name for name in names if name in known}
    return {name: found.get(name) or chosen.get(name) or suggested.get(name, "") for name in names}


def writeChecked(
    folder: AnnotationFolder,
    case: AnnotationCase,
    classMap: Mapping[str, str],
    preset: Preset,
    onlySlices: str = "",
) -> CaseEntry:
    """Write image and label of a case, and note that it is checked.

    Args:
        folder: the annotation folder.
        case: with volume and segmentation in the scene.
        classMap: class of each segment name, "" for none.
        preset: whose classes keep their label values.
        onlySlices: plane in which only some slices are annotated, "" if all are.

    Raises:
        GenSegError: the volume cannot be used, or the folder cannot be written; the case keeps its
            former state.
    """
    folder.lock()
    volumeNode = requireFiniteVoxels(requireUsableVolume(case.volumeNode))
    labels = folder.class_names((name for name in classMap.values() if name), preset.labels)
    content = contentOf(volumeNode)
    image = _writeImage(folder, case, content)
    path = folder.file("labels", case.name)
    writeLabel(case.segmentationNode, volumeNode, classMap, labels, path, allowEmpty=True)
    entry = CaseEntry(
        case.name,
        CaseState.CHECKED.value,
        folder.relative(image),
        folder.relative(path),
        {str(value): name for value, name in labels.items()},
        content,
        volumeNode.GetAttribute(PERSON_ATTRIBUTE) or "",
        only_slices=onlySlices,
    )
    folder.add(entry)
    volumeNode.SetAttribute(CASE_ATTRIBUTE, case.name)
    return entry


def _writeImage(folder: AnnotationFolder, case: AnnotationCase, content: str) -> Path:
    """Write the volume of a case unless a file has its voxels and position already."""
    node = case.volumeNode
    isMoved = node.GetParentTransformNode() is not None
    if case.image is not None and not isMoved and not node.GetModifiedSinceRead():
        return case.image
    path = folder.file("images", case.name)
    isWritten = case.entry is not None and case.entry.content == content and path.is_file()
    if isMoved or not isWritten:
        writeVolume(node, path)
    return path


def writeDraft(
    folder: AnnotationFolder,
    name: str,
    label: np.ndarray,
    ijkToRAS: np.ndarray,
    names: Mapping[int, str],
    model: str,
    trainedCases: int,
) -> CaseEntry:
    """Write the draft of a case, and note that it has one; raises as `writeChecked`.

    Args:
        folder: the annotation folder.
        name: of the case.
        label: label values (k, j, i).
        ijkToRAS: of the segmented image.
        names: classes by label value.
        model: name of the model that predicted it.
        trainedCases: labeled cases that the model had learned from.
    """
    folder.lock()
    path = folder.file("drafts", name)
    writeImage(orientedImage(label, np.eye(4)), ijkToRAS, path, compress=True)
    entry = CaseEntry(
        name,
        CaseState.DRAFT.value,
        label=folder.relative(path),
        labels={str(value): each for value, each in names.items()},
        model=model,
        trained_cases=trainedCases,
    )
    folder.add(entry)
    return entry


def writeEdits(folder: AnnotationFolder, case: AnnotationCase, classMap: Mapping[str, str]) -> None:
    """Write a correction in progress, so that it survives the process; raises as `writeChecked`."""
    labels = folder.class_names(name for name in classMap.values() if name)
    path = folder.file("edits", case.name)
    writeLabel(case.segmentationNode, case.volumeNode, classMap, labels, path, allowEmpty=True)
    write_json(path.with_suffix(".json"), {str(value): name for value, name in labels.items()})


def removeEdits(folder: AnnotationFolder, name: str) -> None:
    """Remove the correction in progress of a case that is checked now."""
    path = folder.file("edits", name)
    remove(path)
    remove(path.with_suffix(".json"))


def loadLabel(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    path: Path,
    names: Mapping[int, str],
    style: SegmentStyle,
    state: CaseState,
) -> slicer.vtkMRMLSegmentationNode:
    """Load a label file of a case as a segmentation with a state.

    Raises:
        GenSegError: the file cannot be read; the scene is not changed.
    """
    image = readLabelImage(path, volumeNode, fileIJKToRAS(volumeNode))
    node = newSegmentation(
        volumeNode, _("{volume} segmentation").format(volume=volumeNode.GetName())
    )
    resetToVolume(node, volumeNode)
    addSegments(node, image, volumeNode, style.withNames(names))
    setState(node, state)
    return node


def draftDice(
    folder: AnnotationFolder, case: AnnotationCase, draft: CaseEntry
) -> tuple[float | None, dict[str, float | None]]:
    """Return the Dice of a draft against the segmentation that the user made of it.

    Args:
        folder: the annotation folder.
        case: with volume and segmentation in the scene.
        draft: entry of the draft.

    Returns:
        The mean over the classes of the model, None without a draft; and the Dice by class.
    """
    path = folder.resolve(draft.label)
    if not draft.label or not path.is_file():
        return None, {}
    volumeNode, values = case.volumeNode, {name: value for value, name in draft.names.items()}
    chosen = [
        (segment, values[segment.name])
        for segment in segmentsOf(case.segmentationNode)
        if segment.name in values
    ]
    corrected = rasterizeSegments(case.segmentationNode, volumeNode, chosen)
    predicted = voxelsOf(readLabelImage(path, volumeNode, fileIJKToRAS(volumeNode)))
    if predicted.shape != corrected.shape:  # of another volume
        return None, {}
    return draft_dice(predicted, corrected, draft.names)
