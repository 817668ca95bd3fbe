"""Creation of segmentation nodes and their segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.nesting import Includes, region_values
from GenSegLib.presets import Preset
from GenSegSlicerLib.Geometry import linearMatrix, matrixFromArray, transformBetween
from GenSegSlicerLib.LabelImages import imageIJKToRAS
from GenSegSlicerLib.Segments import BINARY, voxelsOf
from GenSegSlicerLib.SubjectHierarchy import placeInSameFolder

MODEL_ATTRIBUTE = "GenSeg.Model"
"""Node attribute with the name of the model that created a segmentation."""

_PALETTE = (
    *((230, 120, 70), (80, 160, 220), (130, 190, 90), (240, 200, 80), (170, 120, 200)),
    *((90, 190, 180), (220, 110, 150), (150, 130, 100), (110, 130, 210), (200, 160, 120)),
)


@dataclass(frozen=True)
class SegmentStyle:
    """What segments are made of a label map.

    Attributes:
        names, colors (0 to 255), terminology: of the segments, by label value.
        includes: names of the classes within a class, which are part of its segment, too.
    """

    names: Mapping[int, str]
    colors: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    terminology: Mapping[int, str] = field(default_factory=dict)
    includes: Includes = field(default_factory=dict)

    @classmethod
    def ofModel(cls, metadata: ModelMetadata) -> SegmentStyle:
        """Return the style of a model's classes."""
        return cls.ofPreset(metadata.labels, metadata.preset, metadata.includes)

    @classmethod
    def ofPreset(
        cls, names: Mapping[int, str], preset: Preset, includes: Includes | None = None
    ) -> SegmentStyle:
        """Return a preset's colors and terminology with the given names."""
        return cls(names, preset.colors, preset.terminology, includes or {})

    def withNames(self, names: Mapping[int, str]) -> SegmentStyle:
        """Return a copy with other names."""
        return replace(self, names=names)

    def colorOf(self, value: int) -> tuple[float, ...]:
        """Return red, green and blue from 0 to 1."""
        color = self.colors.get(value) or _PALETTE[(value - 1) % len(_PALETTE)]
        return tuple(part / 255 for part in color)


def newSegmentation(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Create an empty segmentation node in the subject hierarchy folder of the volume."""
    scene = volumeNode.GetScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.CreateDefaultDisplayNodes()
    placeInSameFolder(node, volumeNode)
    return node


def hideEarlierResults(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Hide the results of other models, or of earlier times, that cover the same volume."""
    scene, role = node.GetScene(), node.GetReferenceImageGeometryReferenceRole()
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
        other = scene.GetNthNodeByClass(index, "vtkMRMLSegmentationNode")
        isResult = other is not node and other.GetAttribute(MODEL_ATTRIBUTE) is not None
        isSame = other.GetNodeReferenceID(role) == node.GetNodeReferenceID(role)
        if isResult and isSame and other.GetDisplayNode() is not None:
            other.GetDisplayNode().SetVisibility(False)


def resetToVolume(
    node: slicer.vtkMRMLSegmentationNode, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Remove all segments; set reference geometry and parent transform from a volume."""
    segmentation = node.GetSegmentation()
    segmentation.RemoveAllSegments()
    segmentation.SetSourceRepresentationName(BINARY)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)


def addSegments(
    node: slicer.vtkMRMLSegmentationNode,
    image: slicer.vtkOrientedImageData,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    style: SegmentStyle,
) -> None:
    """Add a segment for each name of a style; all share one labelmap, but those around others.

    Args:
        node: segmentation node to add segments to.
        image: label values in the local coordinates of the volume, without parent transform.
        volumeNode: the volume.
        style: names, colors and terminology, and which classes lie within others.

    Raises:
        GenSegError: the transform between node and volume is not linear, or the closed surfaces of
            the node cannot be converted; nothing is added.
    """
    between = linearMatrix(transformBetween(volumeNode, node))
    if between is None:
        raise GenSegError(
            _(
                "{segmentation} has a different nonlinear transform than {volume}; select a new "
                "segmentation, or the same parent transform for both"
            ).format(segmentation=node.GetName(), volume=volumeNode.GetName())
        )
    labelmap = slicer.vtkOrientedImageData()
    labelmap.ShallowCopy(image)
    labelmap.SetGeometryFromImageToWorldMatrix(matrixFromArray(between @ imageIJKToRAS(image)))
    segmentation, regions = node.GetSegmentation(), region_values(style.includes, style.names)
    _convertToBinaryLabelmap(node)
    for value, name in sorted(style.names.items()):
        segment = slicer.vtkSegment()
        segment.SetName(_uniqueName(segmentation, name))
        segment.SetColor(*style.colorOf(value))
        if value in style.terminology:
            segment.SetTag(segment.GetTerminologyEntryTagName(), style.terminology[value])
        segment.AddRepresentation(BINARY, _regionOf(labelmap, value, regions[value]))
        segment.SetLabelValue(value)
        segmentation.AddSegment(segment, segmentation.GenerateUniqueSegmentID(segment.GetName()))


def _regionOf(
    labelmap: slicer.vtkOrientedImageData, value: int, region: tuple[int, ...]
) -> slicer.vtkOrientedImageData:
    """The labelmap for a segment: the common one, or its own if other classes lie within it."""
    if len(region) == 1:
        return labelmap
    voxels = voxelsOf(labelmap)
    mask = np.where(np.isin(voxels, region), voxels.dtype.type(value), voxels.dtype.type(0))
    own = slicer.vtkOrientedImageData()
    own.DeepCopy(labelmap)
    voxelsOf(own)[:] = mask
    return own


def _convertToBinaryLabelmap(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Make binary labelmap the source representation, as the Segment Editor does.

    Otherwise added segments would be converted to closed surfaces, which shrink them.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetSourceRepresentationName() == BINARY:
        return
    if segmentation.GetNumberOfSegments() and not segmentation.CreateRepresentation(BINARY):
        raise GenSegError(
            _(
                "{segmentation} cannot be converted to binary labelmaps; select a new segmentation"
            ).format(segmentation=node.GetName())
        )
    segmentation.SetSourceRepresentationName(BINARY)


def _uniqueName(segmentation: slicer.vtkSegmentation, name: str) -> str:
    """The name, with the first numeric suffix that makes it unique."""
    count = segmentation.GetNumberOfSegments()
    used = {segmentation.GetNthSegment(k).GetName() for k in range(count)}
    candidates = (name, *(f"{name}_{k}" for k in range(1, count + 1)))
    return next(candidate for candidate in candidates if candidate not in used)
