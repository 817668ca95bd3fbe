"""Loads volume and segmentation of a case of the annotation loop into the scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.annotation.folder import CaseState
from GenSegLib.errors import GenSegError
from GenSegLib.images.volume import Volume
from GenSegLib.models.folder import ModelMetadata
from GenSegSlicerLib import FilePairs
from GenSegSlicerLib.AnnotationCases import (
    CASE_ATTRIBUTE,
    CONTENT_ATTRIBUTE,
    AnnotationCase,
    contentOf,
)
from GenSegSlicerLib.AnnotationFiles import loadEdits, loadLabel
from GenSegSlicerLib.AnnotationWorkspace import AnnotationWorkspace
from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.DraftPredictor import DraftRequest
from GenSegSlicerLib.Frames import frameOf
from GenSegSlicerLib.PartialAnnotation import setAnnotation
from GenSegSlicerLib.Resampling import imageOnGridOf
from GenSegSlicerLib.SegmentationStates import isEdited, rememberPrediction, setState
from GenSegSlicerLib.SegmentNodes import (
    MODEL_ATTRIBUTE,
    SegmentStyle,
    newSegmentation,
    resetToVolume,
)
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.VolumeFiles import (
    loadVolume,
    readVolume,
    requireFiniteVoxels,
    requireUsableVolume,
)


class CaseOpener:
    """Opens cases from the scene, from corrections in progress, from drafts, or empty.

    Args:
        workspace: what the loop works on.
    """

    def __init__(self, workspace: AnnotationWorkspace) -> None:
        self._workspace = workspace

    def isBegun(self, case: AnnotationCase) -> bool:
        """Return whether the user has begun to correct or to draw a case."""
        node = case.segmentationNode
        if node is not None and case.state is CaseState.DRAFT and isEdited(node):
            return True
        return self._workspace.folder.file("edits", case.name).is_file()

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
        )

    def load(self, case: AnnotationCase) -> None:
        """Load the volume of a case unless it is in the scene.

        Raises:
            GenSegError: its file is missing or cannot be read, or the volume cannot be used.
        """
        if case.volumeNode is None:
            case.volumeNode = self._loadVolume(case)
        elif case.segmentationNode is not None:
            FilePairs.load(TrainingPair(case.volumeNode, case.segmentationNode))
        requireUsableVolume(case.volumeNode)
        case.volumeNode.SetAttribute(CASE_ATTRIBUTE, case.name)

    def open(self, case: AnnotationCase) -> None:
        """Set volume and segmentation of a case, loaded or created if necessary; raises as `load`.

        Segmentations are loaded from files where the scene has none.
        """
        self.load(case)
        node = case.segmentationNode
        if node is not None and not self._isReplaced(case):
            if case.state is not CaseState.CHECKED:
                setState(node, CaseState.DRAFT if case.entry else case.state)
            return
        case.segmentationNode = self._newSegmentation(case)
        if node is not None:
            slicer.mrmlScene.RemoveNode(node)

    def unload(self, case: AnnotationCase) -> bool:
        """Remove a volume that the loop has loaded, with its segmentation; returns whether."""
        if case.volumeNode.GetAttribute(CONTENT_ATTRIBUTE) is None:
            return False
        for node in (case.segmentationNode, case.volumeNode):
            for other in (node.GetDisplayNode(), node.GetStorageNode(), node):
                if other is not None and other.GetScene() is not None:
                    other.GetScene().RemoveNode(other)
        return True

    def _isReplaced(self, case: AnnotationCase) -> bool:
        """Whether the segmentation in the scene is an unedited draft of an older model."""
        node, entry = case.segmentationNode, case.entry
        isDraft = case.state is CaseState.DRAFT and not self.isBegun(case)
        return isDraft and entry is not None and node.GetAttribute(MODEL_ATTRIBUTE) != entry.model

    def _loadVolume(self, case: AnnotationCase) -> slicer.vtkMRMLScalarVolumeNode:
        path = case.image
        if path is None and case.entry is not None and case.entry.image:
            path = self._workspace.folder.resolve(case.entry.image)
        if path is None:
            text = _("{case} is not in the scene; load its volume to open it")
            raise GenSegError(text.format(case=case.title))
        node = loadVolume(path, case.title)
        node.SetAttribute(CONTENT_ATTRIBUTE, contentOf(node))
        return node

    def _newSegmentation(self, case: AnnotationCase) -> slicer.vtkMRMLSegmentationNode:
        """Load a correction in progress, else the checked label, else the draft, else none."""
        folder, entry, volumeNode = self._workspace.folder, case.entry, case.volumeNode
        isChecked = case.state is CaseState.CHECKED
        node = None if isChecked else loadEdits(folder, case, self._style())
        if node is None and entry is not None and entry.label:
            path, state = folder.resolve(entry.label), CaseState(entry.state)
            node = loadLabel(volumeNode, path, entry.names, self._style(), state)
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


def _readImage(case: AnnotationCase) -> Volume:
    """The image of a case as the model gets it; one that is not loaded is read from its file."""
    if case.volumeNode is None:
        return _readFile(case)
    node = requireFiniteVoxels(requireUsableVolume(case.volumeNode))
    image = frameOf(node).image
    further = [voxelsOf(imageOnGridOf(each, node)) for each in furtherChannels(node)]
    if not further:
        return image
    return replace(image, array=np.concatenate([image.array, *(v.T[np.newaxis] for v in further)]))


def _readFile(case: AnnotationCase) -> Volume:
    """The image of a file, read into a node outside the scene."""
    node, _storage = readVolume(case.image)
    node.SetName(case.title)
    return _readImage(replace(case, volumeNode=node))
