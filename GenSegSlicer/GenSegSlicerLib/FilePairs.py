"""Training pairs of raster images, whose voxels are read from their files when they are needed.

A folder of photos may need more memory than there is. After the import, their nodes have no voxels
but the paths of their files. Once a segmentation is edited, its voxels stay.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import slicer

from GenSegLib.cases import Case
from GenSegSlicerLib.Channels import channelNodes
from GenSegSlicerLib.DicomFiles import readByLibrary
from GenSegSlicerLib.ImageFiles import setVolume
from GenSegSlicerLib.LabelFiles import fileGrid, readPlacedLabel
from GenSegSlicerLib.Segments import BINARY, segmentTimes
from GenSegSlicerLib.TrainingPair import FILE_ATTRIBUTE, TrainingPair


def makeFilePair(pair: TrainingPair, case: Case, classes: Mapping[int, str]) -> None:
    """Remember the files of a pair that was just read from them, and release its voxels.

    Args:
        pair: the pair.
        case: what it was read from.
        classes: names of the label values.
    """
    for node, image in zip(channelNodes(pair.volumeNode), case.images):
        node.SetAttribute(FILE_ATTRIBUTE, str(image))
    pair.segmentationNode.SetAttribute(FILE_ATTRIBUTE, _labelText(case, classes))
    pair.readTimes = segmentTimes(pair.segmentationNode)
    release(pair)


def load(pair: TrainingPair, warn: Callable[[str], None] = lambda text: None) -> None:
    """Read the voxels of a pair from its files unless it has them.

    Raises:
        GenSegError: a file is missing or cannot be read.
    """
    if not pair.isReleased:
        return
    first, images = pair.volumeNode, _volumesOfFiles(pair)
    label, values = _labelOf(pair.segmentationNode.GetAttribute(FILE_ATTRIBUTE))
    for node, image in images.items():
        setVolume(node, readByLibrary(image))
    grid = fileGrid(images[first], first)
    labelmap, _names = readPlacedLabel(label, first, grid, warn, values or _namesOf(pair))
    _setLabelmap(pair, labelmap)


def release(pair: TrainingPair) -> None:
    """Remove the voxels of a pair that can be read again, unless they are shown or edited."""
    if pair.isReleased or not pair.isFromFiles or _isShown(pair):
        return
    if pair.isEdited:
        for node in (pair.segmentationNode, *_volumesOfFiles(pair)):
            node.RemoveAttribute(FILE_ATTRIBUTE)
        return
    for node in _volumesOfFiles(pair):
        node.SetAndObserveImageData(None)
    _setLabelmap(pair, slicer.vtkOrientedImageData())


@contextmanager
def loaded(pair: TrainingPair) -> Iterator[None]:
    """Give a pair its voxels for a while; raises as `load`."""
    wasReleased = pair.isReleased
    load(pair)
    try:
        yield
    finally:
        if wasReleased:
            release(pair)


def _volumesOfFiles(pair: TrainingPair) -> dict[slicer.vtkMRMLVolumeNode, Path]:
    """Return the volumes of a pair that can be read again, with their files."""
    paths = {node: node.GetAttribute(FILE_ATTRIBUTE) for node in channelNodes(pair.volumeNode)}
    return {node: Path(path) for node, path in paths.items() if path}


def _labelText(case: Case, classes: Mapping[int, str]) -> str:
    """Return the path of a label, or as JSON the paths of its files, by value if those differ."""
    if len(case.labels) == 1 and not case.label_classes:
        return str(case.label)
    values = {name: str(value) for value, name in classes.items()}
    numbered = replace(case, label_classes=tuple(values[name] for name in case.label_classes))
    return json.dumps(numbered.to_json()["label"])


def _labelOf(text: str) -> tuple[Case, dict[int, str]]:
    """Return the label of a `_labelText`, and the names of its classes, which are their values."""
    files = json.loads(text) if text.startswith(("[", "{")) else text
    case = Case.from_json({"name": "label", "image": "", "label": files}, Path())
    return case, {int(name): name for name in case.label_classes}


def _namesOf(pair: TrainingPair) -> dict[int, str]:
    """Return the names of the segments by label value."""
    segmentation = pair.segmentationNode.GetSegmentation()
    count = segmentation.GetNumberOfSegments()
    segments = [segmentation.GetNthSegment(index) for index in range(count)]
    return {segment.GetLabelValue(): segment.GetName() for segment in segments}


def _setLabelmap(pair: TrainingPair, labelmap: Any) -> None:
    """Give all segments one binary labelmap, which they share."""
    segmentation = pair.segmentationNode.GetSegmentation()
    for index in range(segmentation.GetNumberOfSegments()):
        segmentation.GetNthSegment(index).AddRepresentation(BINARY, labelmap)
    pair.readTimes = segmentTimes(pair.segmentationNode)


def _isShown(pair: TrainingPair) -> bool:
    own = {node.GetID() for node in channelNodes(pair.volumeNode)}
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return any(node.GetBackgroundVolumeID() in own for node in composites)
