"""Export of segmentation nodes to label files in the geometry of a volume, and import."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.nesting import Includes, drawing_layers
from GenSegLib.steps import Steps
from GenSegSlicerLib.AnnotatedLabels import labelSteps
from GenSegSlicerLib.Geometry import fileIJKToRAS
from GenSegSlicerLib.ImageFiles import orientedImage, writeImageSteps
from GenSegSlicerLib.LabelFiles import readLabelImage
from GenSegSlicerLib.LabelImages import hasVoxels
from GenSegSlicerLib.SegmentationStates import rememberPrediction
from GenSegSlicerLib.SegmentNodes import (
    MODEL_ATTRIBUTE,
    SegmentStyle,
    addSegments,
    newSegmentation,
    resetToVolume,
)
from GenSegSlicerLib.Segments import Segment, segmentsOf
from GenSegSlicerLib.VolumeFiles import requireUsableVolume


def writeLabelSteps(
    segmentationNode: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    classMap: Mapping[str, str],
    labels: Mapping[int, str],
    path: Path,
    allowEmpty: bool = False,
    includes: Includes | None = None,
) -> Steps[np.ndarray]:
    """Write segments as a label volume with the geometry of the volume's file, slice by slice.

    Closed surfaces are converted to voxels and the parent transforms of both nodes are applied; no
    node is changed. Where segments overlap, the last one in the list wins; see
    `AnnotatedLabels.labelSteps` for segments named Ignore.

    Args:
        segmentationNode: segmentation node or label map volume.
        volumeNode: the segmented volume.
        classMap: class of each segment name; segments mapped to "" or missing are omitted.
        labels: class names by label value.
        path: path of the file, whose extension determines the format.
        allowEmpty: write zeros if no segment overlaps the volume.
        includes: names of the classes within a class, which lie above it.

    Returns:
        The IJK-to-RAS matrix (4, 4) of the file.

    Raises:
        GenSegError: no segment is mapped, no segment overlaps the volume (unless `allowEmpty`), or
            the file cannot be written.
    """
    requireUsableVolume(volumeNode)
    chosen = chooseSegments(segmentationNode, classMap, labels)
    layers = drawing_layers(labels, includes or {})
    voxels = yield from labelSteps(segmentationNode, volumeNode, chosen, layers)
    if not allowEmpty and not voxels.any():
        raise GenSegError(
            _("{segmentation} does not overlap {volume}; select the matching volume").format(
                segmentation=segmentationNode.GetName(), volume=volumeNode.GetName()
            )
        )
    ijkToRAS = fileIJKToRAS(volumeNode)
    yield from writeImageSteps(orientedImage(voxels, np.eye(4)), ijkToRAS, Path(path), True)
    return ijkToRAS


def chooseSegments(
    node: slicer.vtkMRMLNode, classMap: Mapping[str, str], labels: Mapping[int, str]
) -> list[tuple[Segment, int]]:
    """Return the segments that are mapped to a class, with the label value of the class.

    Of an empty segmentation, none are returned.

    Raises:
        GenSegError: no segment is mapped, or a class has no label value.
    """
    values = {name: value for value, name in labels.items()}
    chosen = []
    for segment in segmentsOf(node):
        name = classMap.get(segment.name, "")
        if name and name not in values:
            text = _("Segment {segment} is mapped to {name}, which is not a class of the model")
            raise GenSegError(text.format(segment=segment.name, name=name))
        if name:
            chosen.append((segment, values[name]))
    if not chosen and any(hasVoxels(node, segment) for segment in segmentsOf(node)):
        raise GenSegError(_("{name}: no segment is mapped to a class").format(name=node.GetName()))
    return chosen


def loadSegmentation(
    path: Path,
    metadata: ModelMetadata,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    outputNode: slicer.vtkMRMLSegmentationNode | None = None,
    mode: str = "replace",
    writtenIJKToRAS: np.ndarray | None = None,
) -> slicer.vtkMRMLSegmentationNode:
    """Load a prediction as segments, aligned with the segmented volume.

    The segments get names, colors and terminology of the model, and the geometry and parent
    transform of the volume. A new node is placed in the subject hierarchy folder of the volume.

    Args:
        path: path of the label volume.
        metadata: metadata of the model.
        volumeNode: the segmented volume.
        outputNode: existing node; None creates one.
        mode: "replace" removes the segments of `outputNode`, "add" keeps them.
        writtenIJKToRAS: return value of `writeVolume`, needed if the volume may have moved since.

    Raises:
        GenSegError: the file cannot be read or added; the scene is not changed.
    """
    ijkToRAS = fileIJKToRAS(volumeNode) if writtenIJKToRAS is None else writtenIJKToRAS
    image = readLabelImage(Path(path), volumeNode, ijkToRAS)
    name = _("{volume} by GenSeg").format(volume=volumeNode.GetName())
    node = outputNode or newSegmentation(volumeNode, name)
    isWhole = outputNode is None or mode == "replace"
    if isWhole:
        resetToVolume(node, volumeNode)
        node.SetAttribute(MODEL_ATTRIBUTE, metadata.name)
    addSegments(node, image, volumeNode, SegmentStyle.ofModel(metadata))
    if isWhole:
        rememberPrediction(node)
    return node
