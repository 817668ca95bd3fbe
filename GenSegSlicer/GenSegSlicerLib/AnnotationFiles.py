"""Files of the annotation loop: labels, drafts and corrections of its cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import AnnotationFolder, CaseEntry, CaseState
from GenSegLib.annotation.records import DraftDice
from GenSegLib.case_annotation import ClassState
from GenSegLib.dicom.files import is_dicom_file
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import split_frame
from GenSegLib.label_maps import IGNORE
from GenSegLib.nesting import Includes, drawing_layers
from GenSegLib.presets import Preset
from GenSegLib.steps import Steps
from GenSegSlicerLib.AnnotatedLabels import annotatedLabelSteps, consistencySteps, labelSteps
from GenSegSlicerLib.AnnotationCases import AnnotationCase, structuresOf
from GenSegSlicerLib.CaseContents import CONTENT_ATTRIBUTE, contentOf, isAsLoaded
from GenSegSlicerLib.CaseNames import CASE_ATTRIBUTE
from GenSegSlicerLib.Channels import channelNodes
from GenSegSlicerLib.DraftPredictor import Draft
from GenSegSlicerLib.Geometry import fileIJKToRAS, isPlacedAt
from GenSegSlicerLib.ImageFiles import orientedImage, writeImage
from GenSegSlicerLib.LabelFiles import readLabelImage
from GenSegSlicerLib.PartialAnnotation import annotationOf
from GenSegSlicerLib.Persons import channelFiles
from GenSegSlicerLib.SegmentationFiles import chooseSegments, writeLabelSteps
from GenSegSlicerLib.SegmentationStates import setSavedTime, setState
from GenSegSlicerLib.SegmentClasses import SegmentOccurrence, suggestClasses, unusedNames
from GenSegSlicerLib.SegmentNodes import (
    SegmentStyle,
    addSegments,
    newSegmentation,
    resetToVolume,
)
from GenSegSlicerLib.Segments import Segment, segmentsOf, voxelsOf
from GenSegSlicerLib.TrainingPair import FILE_ATTRIBUTE, PERSON_ATTRIBUTE, TrainingPair
from GenSegSlicerLib.VolumeFiles import finiteSteps, requireUsableVolume, writeChannelsSteps


def classMapOf(
    node: slicer.vtkMRMLNode, chosen: Mapping[str, str], known: Sequence[str], preset: Preset
) -> dict[str, str]:
    """Return the class of each segment name, and of each name of which a segmentation says more.

    Args:
        node: the segmentation.
        chosen: classes that the user has chosen, or that the preset suggested; "" for none.
        known: classes of the model and of the checked cases; other segments of that name belong to
            them, unless the user has chosen that they are not used.
        preset: suggests classes for the others.
    """
    names = [*(segment.name for segment in segmentsOf(node)), *annotationOf(node).classes]
    new = [
        SegmentOccurrence(each.name, each.terminology, 1)
        for each in segmentsOf(node)
        if each.name not in chosen and each.name not in known
    ]
    suggested = suggestClasses(new, preset, {name: name for name in known})
    found = {name: name for name in {*names} & {*known} - unusedNames(chosen, preset)}
    return {name: chosen.get(name) or found.get(name) or suggested.get(name, "") for name in names}


def writeCheckedSteps(
    folder: AnnotationFolder,
    case: AnnotationCase,
    classMap: Mapping[str, str],
    preset: Preset,
    includes: Includes,
    nested: Sequence[tuple[str, str]] = (),
) -> Steps[CaseEntry]:
    """Write image and label of a case slice by slice, and note that it is checked.

    Args:
        folder: the annotation folder.
        case: with volume and segmentation in the scene.
        classMap: class of each segment name, "" for none.
        preset: whose classes keep their label values.
        includes: names of the classes within a class.
        nested: outer and inner class where one of its segments lies within another.

    Raises:
        GenSegError: the volume cannot be used or changes meanwhile, a class is said to be absent
            and is drawn, or the folder cannot be written; the case keeps its former state.
    """
    folder.lock()
    node = requireUsableVolume(case.volumeNode)
    yield from finiteSteps(node)
    labels = folder.class_names((name for name in classMap.values() if name), preset.labels)
    annotation = annotationOf(case.segmentationNode).renamed(classMap)
    chosen = chooseSegments(case.segmentationNode, classMap, labels)
    yield from consistencySteps(case.segmentationNode, node, chosen, labels, annotation)
    content = contentOf(node)
    written = yield from _writeImages(folder, case, content)
    images = [folder.relative(image) for image in written]
    labels, ijkToRAS = yield from _writeLabel(folder, case, classMap, preset, includes)
    if contentOf(node) != content:
        text = _(
            "{case} changed while it was being saved; pause its sequence, then accept it again"
        )
        raise GenSegError(text.format(case=case.title))
    present = {classMap.get(name) for name in structuresOf(case.segmentationNode)}
    entry = CaseEntry(
        case.name,
        CaseState.CHECKED.value,
        images[0],
        folder.relative(folder.file("labels", case.name)),
        labelsToJson({value: name for value, name in labels.items() if name in present}),
        content,
        node.GetAttribute(PERSON_ATTRIBUTE) or "",
        only_slices=annotation.only_slices,
        scribbles=annotation.scribbles,
        classes={name: state.value for name, state in annotation.classes.items()},
        others=images[1:],
        nested=[list(pair) for pair in nested],
        affine=ijkToRAS.ravel().tolist(),
    )
    folder.add(entry)
    setSavedTime(case.segmentationNode, entry.time)
    case.segmentationNode.SetAttribute(CONTENT_ATTRIBUTE, content)
    node.SetAttribute(CASE_ATTRIBUTE, case.name)
    return entry


def _writeLabel(
    folder: AnnotationFolder,
    case: AnnotationCase,
    classMap: Mapping[str, str],
    preset: Preset,
    includes: Includes,
) -> Steps[tuple[dict[int, str], np.ndarray]]:
    """Write the label of a case, again if a training meanwhile gave its values to other classes.

    Returns:
        Class names by label value, and the IJK-to-RAS matrix of the file.
    """
    names, path = [name for name in classMap.values() if name], folder.file("labels", case.name)
    while True:
        labels = folder.class_names(names, preset.labels)
        details = (classMap, labels, path, True, includes)
        ijkToRAS = yield from writeLabelSteps(case.segmentationNode, case.volumeNode, *details)
        if labels == folder.class_names(names, preset.labels):
            return labels, ijkToRAS


def _writeImages(folder: AnnotationFolder, case: AnnotationCase, content: str) -> Steps[list[Path]]:
    """Write the channels of a case, unless files have their voxels and position already."""
    node = case.volumeNode
    isMoved = node.GetParentTransformNode() is not None
    files = [each.GetAttribute(FILE_ATTRIBUTE) for each in channelNodes(node)]
    if all(files) and not isMoved:
        return [Path(file) for file in files]
    pair, image = TrainingPair(node, case.segmentationNode), case.image
    paths = channelFiles(folder.path / "images", case.name, pair)
    if image is not None and len(paths) == 1 and not _isDicom(image) and isAsLoaded(node):
        return [image]
    if not _hasImages(folder, case, content) or not all(path.is_file() for path in paths):
        yield from writeChannelsSteps(node, paths)
    return paths


def _hasImages(folder: AnnotationFolder, case: AnnotationCase, content: str) -> bool:
    """Whether the images of the checked label have the voxels and the position of a volume."""
    entry = folder.entries().get(case.name)
    if entry is None or entry.state != CaseState.CHECKED.value or entry.content != content:
        return False
    return isPlacedAt(case.volumeNode, entry.affine)


def _isDicom(path: Path) -> bool:
    """Whether a path, which may name the patient, is not stored."""
    return path.is_dir() or is_dicom_file(split_frame(path)[0])


def writeDraft(folder: AnnotationFolder, draft: Draft) -> CaseEntry:
    """Write the draft of a case, and note that it has one; raises as `writeCheckedSteps`.

    A case that was checked meanwhile stays checked.
    """
    folder.lock()
    case, metadata, image = draft.request.case, draft.request.metadata, draft.request.image
    known = folder.entries().get(case)
    if known is not None and known.state == CaseState.CHECKED.value:
        return known
    path = folder.file("drafts", case)
    writeImage(orientedImage(draft.label, np.eye(4)), draft.ijkToRAS, path, compress=True)
    entry = CaseEntry(
        case,
        CaseState.DRAFT.value,
        "" if image is None or _isDicom(image) else folder.relative(image),
        folder.relative(path),
        labelsToJson(metadata.labels),
        draft.content,
        affine=draft.ijkToRAS.ravel().tolist(),
        model=metadata.name,
        trained_cases=metadata.cases,
    )
    folder.add(entry)
    return entry


def labelsToJson(labels: Mapping[int, str]) -> dict[str, str]:
    """Return class names by label value as JSON stores them."""
    return {str(value): name for value, name in labels.items()}


def _writtenIJKToRAS(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, affine: Sequence[float]
) -> np.ndarray:
    """The matrix of a volume when its label was written; where it is unknown, that of now."""
    return np.reshape(affine, (4, 4)) if affine else fileIJKToRAS(volumeNode)


def loadLabel(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    path: Path,
    names: Mapping[int, str],
    style: SegmentStyle,
    state: CaseState,
    affine: Sequence[float] = (),
) -> slicer.vtkMRMLSegmentationNode:
    """Load a label file of a case as a segmentation with a state, at the voxels it was drawn on.

    Args:
        volumeNode: the volume, which may have moved since.
        path: the file.
        names: names of the segments by label value.
        style: colors and terminology of the segments.
        state: of the segmentation.
        affine: see `CaseEntry`.

    Raises:
        GenSegError: the file cannot be read; the scene is not changed.
    """
    image = readLabelImage(path, volumeNode, _writtenIJKToRAS(volumeNode, affine))
    node = newSegmentation(
        volumeNode, _("{volume} segmentation").format(volume=volumeNode.GetName())
    )
    resetToVolume(node, volumeNode)
    addSegments(node, image, volumeNode, style.withNames(names))
    setState(node, state)
    return node


def draftDiceSteps(
    folder: AnnotationFolder,
    case: AnnotationCase,
    draft: CaseEntry | None,
    classMap: Mapping[str, str],
    includes: Includes,
) -> Steps[tuple[float | None, dict[str, float | None]]]:
    """Return the Dice of a draft against the segmentation that the user made of it.

    Args:
        folder: the annotation folder.
        case: with volume and segmentation in the scene.
        draft: entry of the draft, None if there is none.
        classMap: class of each segment name; segments of a class of the model need none.
        includes: names of the classes within a class.

    Returns:
        The mean over the annotated classes of the model, None without a draft; and the Dice by
        class.
    """
    path = folder.resolve(draft.label) if draft is not None and draft.label else None
    if path is None or not path.is_file():
        return None, {}
    volumeNode, layers = case.volumeNode, drawing_layers(draft.names, includes)
    chosen = _segmentsOfDraft(case.segmentationNode, draft, classMap)
    corrected = yield from labelSteps(case.segmentationNode, volumeNode, chosen, layers)
    everything = list(enumerate(segmentsOf(case.segmentationNode), start=1))
    label = yield from annotatedLabelSteps(
        case.segmentationNode, volumeNode, [(segment, value) for value, segment in everything]
    )
    said = annotationOf(case.segmentationNode)
    names = {
        value: name
        for value, name in draft.names.items()
        if not said.names_with(ClassState.NOT_ANNOTATED, (name, classMap.get(name) or name))
    }
    ijkToRAS = _writtenIJKToRAS(volumeNode, draft.affine)
    predicted = voxelsOf(readLabelImage(path, volumeNode, ijkToRAS))
    if predicted.shape != corrected.shape:  # of another volume
        return None, {}
    dice = DraftDice(names)
    for one, other, known in zip(predicted, corrected, label):
        dice.add(one[known != IGNORE], other[known != IGNORE])
        yield None
    return dice.result()


def _segmentsOfDraft(
    node: slicer.vtkMRMLNode, draft: CaseEntry, classMap: Mapping[str, str]
) -> list[tuple[Segment, int]]:
    """Segments with the label values of the draft: by their names, else by their classes."""
    values = {name: value for value, name in draft.names.items()}
    classes = {**classMap, **{name: name for name in values}}
    segments = segmentsOf(node)
    return [(s, values[classes[s.name]]) for s in segments if classes.get(s.name) in values]
