"""Loads volume and segmentation of a case of the annotation loop into the scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import AnnotationFolder, CaseEntry, CaseState
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import image_stem
from GenSegLib.images.volume import Volume
from GenSegLib.models.folder import ModelMetadata
from GenSegSlicerLib import FilePairs
from GenSegSlicerLib.AnnotationCases import (
    SOURCE_ATTRIBUTE,
    AnnotationCase,
    annotationVersion,
    structuresOf,
)
from GenSegSlicerLib.AnnotationEdits import hasEdits, loadEdits, secondsOfEdits
from GenSegSlicerLib.AnnotationFiles import loadLabel
from GenSegSlicerLib.AnnotationWorkspace import AnnotationWorkspace
from GenSegSlicerLib.CaseContents import CONTENT_ATTRIBUTE, contentOf, markAsLoaded
from GenSegSlicerLib.CaseNames import CASE_ATTRIBUTE
from GenSegSlicerLib.Channels import furtherChannels, setFurtherChannels
from GenSegSlicerLib.DraftPredictor import DraftRequest
from GenSegSlicerLib.EditTimer import EditTimer
from GenSegSlicerLib.Frames import frameOf
from GenSegSlicerLib.PartialAnnotation import annotationOf, setAnnotation
from GenSegSlicerLib.SegmentationStates import (
    PREDICTION_ATTRIBUTE,
    SAVED_ATTRIBUTE,
    STATE_ATTRIBUTE,
    isEdited,
    rememberPrediction,
    setSavedTime,
    setState,
)
from GenSegSlicerLib.SegmentNodes import (
    MODEL_ATTRIBUTE,
    SegmentStyle,
    hideEarlierResults,
    newSegmentation,
    resetToVolume,
)
from GenSegSlicerLib.Segments import isSegmentation
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.VolumeFiles import (
    loadVolume,
    readVolume,
    requireFiniteVoxels,
    requireUsableVolume,
)


@dataclass
class OpenCase:
    """The case that the user is working on.

    Attributes:
        case: with volume and segmentation in the scene.
        folder: the annotation folder that its correction is saved in.
        draft: entry of its draft, None if it has none.
        number: 1 for the first case of the loop.
        timer: time that the user spends on it.
        saved: version of the segmentation that is on disk.
    """

    case: AnnotationCase
    folder: AnnotationFolder
    draft: CaseEntry | None
    number: int
    timer: EditTimer
    saved: tuple[object, ...]

    @property
    def isInScene(self) -> bool:
        """Whether volume and segmentation still exist."""
        nodes = (self.case.volumeNode, self.case.segmentationNode)
        return all(node.GetScene() is not None for node in nodes)


class CaseOpener:
    """Opens cases from the scene, from corrections in progress, from drafts, or empty.

    Args:
        workspace: what the loop works on.
    """

    def __init__(self, workspace: AnnotationWorkspace) -> None:
        self._workspace = workspace
        self._spent: dict[str, float] = {}  # seconds by case, of those that were left

    def isBegun(self, case: AnnotationCase) -> bool:
        """Return whether the user has begun to correct or to draw a case."""
        node = case.segmentationNode
        if node is not None and case.state is not CaseState.CHECKED and _isOfUser(node):
            return True
        return hasEdits(self._workspace.folder, case.name)

    def needsDraft(self, case: AnnotationCase, metadata: ModelMetadata | None) -> bool:
        """Return whether a case must be predicted before it is opened.

        That is where there is a model, and no segmentation but an unedited draft of another model.
        """
        if metadata is None or case.state is CaseState.CHECKED or self.isBegun(case):
            return False
        entry = case.entry
        isDrafted = entry is not None and entry.model == metadata.name
        return not (isDrafted and self._workspace.folder.resolve(entry.label).is_file())

    def request(self, case: AnnotationCase) -> DraftRequest:
        """Return what the newest model needs to predict a case."""
        workspace = self._workspace
        return DraftRequest(
            case.name,
            workspace.model(),
            workspace.metadata(),
            workspace.settings.device,
            lambda: _readImage(case),
            case.image,
        )

    def load(self, case: AnnotationCase) -> None:
        """Load the volume of a case unless it is in the scene.

        Raises:
            GenSegError: its file is missing or cannot be read, or the volume cannot be used.
        """
        if case.volumeNode is None:
            case.volumeNode = self._loadVolume(case)
            self._identify(case)
        elif case.segmentationNode is not None:
            FilePairs.load(TrainingPair(case.volumeNode, case.segmentationNode))
        requireUsableVolume(case.volumeNode)
        case.volumeNode.SetAttribute(CASE_ATTRIBUTE, case.name)
        case.content = contentOf(case.volumeNode)

    def open(self, case: AnnotationCase) -> None:
        """Set volume and segmentation of a case, loaded or created if necessary; raises as `load`.

        Segmentations are loaded from files where the scene has none. What they say of classes that
        the user has renamed is stored with the new names.
        """
        self._openNodes(case)
        node = case.segmentationNode
        setAnnotation(node, annotationOf(node).renamed(self._workspace.classMap(node)))

    def _openNodes(self, case: AnnotationCase) -> None:
        self.load(case)
        node = _requireEditable(case)
        if node is not None and not self._isReplaced(case):
            if case.state is not CaseState.CHECKED:
                setState(node, CaseState.DRAFT if case.entry else case.state)
            if node.GetAttribute(SAVED_ATTRIBUTE) is None:
                setSavedTime(node, case.saved)
        else:
            case.segmentationNode = self._newSegmentation(case)
            setSavedTime(case.segmentationNode, case.saved)
            self._replace(node, case.segmentationNode)
            for older in case.outdated:
                older.SetDisplayVisibility(False)
        case.segmentationNode.SetAttribute(CONTENT_ATTRIBUTE, case.content)

    def opened(self, case: AnnotationCase) -> OpenCase:
        """Return a case that was opened; its time continues, also after Slicer was ended."""
        draft = case.entry if case.entry is not None and case.entry.model else None
        checked = [each for each in self._workspace.cases() if each.state is CaseState.CHECKED]
        number = 1 + sum(each.name != case.name for each in checked)
        node = case.segmentationNode
        folder = self._workspace.folder
        timer = EditTimer(node, self._spent.get(case.name, secondsOfEdits(folder, case.name)))
        return OpenCase(case, folder, draft, number, timer, annotationVersion(node))

    def close(self, current: OpenCase) -> None:
        """Stop the time of a case that is left."""
        current.timer.stop()
        self._spent[current.case.name] = current.timer.seconds

    def resetTime(self, case: AnnotationCase) -> None:
        """Count the time from 0 when a case that was accepted is opened again."""
        self._spent.pop(case.name, None)

    def unload(self, case: AnnotationCase) -> bool:
        """Remove a volume that the loop has loaded, with its segmentation; returns whether."""
        if case.volumeNode.GetAttribute(CONTENT_ATTRIBUTE) is None:
            return False
        channels = furtherChannels(case.volumeNode)
        for node in (case.segmentationNode, case.volumeNode, *channels):
            for other in (node.GetDisplayNode(), node.GetStorageNode(), node):
                if other is not None and other.GetScene() is not None:
                    other.GetScene().RemoveNode(other)
        return True

    def _replace(self, old: Any, new: slicer.vtkMRMLSegmentationNode) -> None:
        """Remove an earlier draft of the loop; results of *Apply* are only hidden."""
        if old is not None and old.GetAttribute(STATE_ATTRIBUTE) is not None:
            slicer.mrmlScene.RemoveNode(old)
        else:
            hideEarlierResults(new)

    def _isReplaced(self, case: AnnotationCase) -> bool:
        """Whether the segmentation in the scene is an unedited draft of an older model."""
        node, entry = case.segmentationNode, case.entry
        isDraft = case.state is CaseState.DRAFT and not self.isBegun(case)
        return isDraft and entry is not None and node.GetAttribute(MODEL_ATTRIBUTE) != entry.model

    def _loadVolume(self, case: AnnotationCase) -> slicer.vtkMRMLScalarVolumeNode:
        path, others, entry = case.image, list(case.others), case.entry
        if path is None and entry is not None and entry.image:
            path, *others = map(self._workspace.folder.resolve, (entry.image, *entry.others))
        if path is None:
            text = _("{case} is not in the scene; load its volume to open it")
            raise GenSegError(text.format(case=case.title))
        node = loadVolume(path, case.title)
        setFurtherChannels(node, [loadVolume(each, image_stem(each)) for each in others])
        markAsLoaded(node)
        node.SetAttribute(SOURCE_ATTRIBUTE, str(path))
        return node

    def _identify(self, case: AnnotationCase) -> None:
        """Give a case that was loaded the name and state that its voxels have."""
        case.volumeNode.SetAttribute(CASE_ATTRIBUTE, case.name)
        cases = self._workspace.cases()
        for found in (each for each in cases if each.volumeNode is case.volumeNode):
            case.name, case.state, case.entry = found.name, found.state, found.entry
            case.structures, case.saved = found.structures, found.saved

    def _newSegmentation(self, case: AnnotationCase) -> slicer.vtkMRMLSegmentationNode:
        """Load a correction in progress, else the checked label, else the draft, else none."""
        folder, entry, volumeNode = self._workspace.folder, case.entry, case.volumeNode
        node = loadEdits(folder, case, self._style())
        if node is not None and case.state is CaseState.CHECKED:
            setState(node, case.state)
        if node is None and entry is not None and entry.label:
            path, state = folder.resolve(entry.label), CaseState(entry.state)
            details = (self._style(), state, entry.affine)
            node = loadLabel(volumeNode, path, entry.names, *details)
            setAnnotation(node, entry.annotation)
            if state is CaseState.DRAFT:
                rememberPrediction(node)
        if node is None:
            return self._emptySegmentation(case)
        if entry is not None and entry.model:
            node.SetAttribute(MODEL_ATTRIBUTE, entry.model)
        return node

    def _emptySegmentation(self, case: AnnotationCase) -> slicer.vtkMRMLSegmentationNode:
        """A segmentation with an empty segment for each class that is known."""
        volumeNode = case.volumeNode
        name = _("{volume} segmentation").format(volume=volumeNode.GetName())
        node = newSegmentation(volumeNode, name)
        resetToVolume(node, volumeNode)
        classes = self._workspace.classes() or list(self._workspace.preset.labels.values())
        style, segmentation = self._style(), node.GetSegmentation()
        for value, each in enumerate(classes, start=1):
            segmentId = segmentation.AddEmptySegment("", each)
            segmentation.GetSegment(segmentId).SetColor(*style.colorOf(value))
        setState(node, CaseState.TODO)
        return node

    def _style(self) -> SegmentStyle:
        metadata = self._workspace.metadata()
        preset = metadata.preset if metadata is not None else self._workspace.preset
        return SegmentStyle.ofPreset({}, preset, self._workspace.includes())


def _isOfUser(node: slicer.vtkMRMLNode) -> bool:
    """Whether the user edited a draft, or drew where there was none, which a scene may say alone.

    A result of *Apply* whose prediction was not remembered is none of the loop.
    """
    if node.GetAttribute(PREDICTION_ATTRIBUTE):
        return isEdited(node)
    return node.GetAttribute(STATE_ATTRIBUTE) is not None and bool(structuresOf(node))


def _requireEditable(case: AnnotationCase) -> slicer.vtkMRMLSegmentationNode | None:
    """The segmentation of a case; raises GenSegError if it is a label map."""
    node = case.segmentationNode
    if node is not None and not isSegmentation(node):
        text = _(
            "{case} is segmented by a label map, which cannot be edited here; convert it to a "
            "segmentation (Data module, right-click) and remove the label map"
        )
        raise GenSegError(text.format(case=case.title))
    return node


def _readImage(case: AnnotationCase) -> tuple[Volume, str]:
    """The image of a case as the model gets it, and the fingerprint of its voxels.

    One that is not loaded is read from its file.
    """
    if case.volumeNode is None:  # nodes outside the scene
        node, *further = (readVolume(path)[0] for path in (case.image, *case.others))
        node.SetName(case.title)
    else:
        node, further = case.volumeNode, furtherChannels(case.volumeNode)
    image = frameOf(requireFiniteVoxels(requireUsableVolume(node)), further).image
    return image, contentOf(node)
