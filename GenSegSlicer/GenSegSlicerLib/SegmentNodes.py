"""Makes and fills segmentation nodes over a volume."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegLib.presets import Preset
from GenSegSlicerLib.Geometry import linearMatrix, matrixFromArray, transformBetween
from GenSegSlicerLib.LabelImages import imageGrid
from GenSegSlicerLib.Segments import BINARY
from GenSegSlicerLib.SubjectHierarchy import placeBeside

MADE_BY = "GenSeg.Model"
"""Attribute of a segmentation node that holds what a model segmented: the model's name."""

_PALETTE = (
    *((230, 120, 70), (80, 160, 220), (130, 190, 90), (240, 200, 80), (170, 120, 200)),
    *((90, 190, 180), (220, 110, 150), (150, 130, 100), (110, 130, 210), (200, 160, 120)),
)


@dataclass(frozen=True)
class SegmentStyle:
    """What segments look like: names, colors (0 to 255) and terminology strings by value."""

    names: Mapping[int, str]
    colors: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    terminology: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def ofModel(cls, metadata: ModelMetadata) -> SegmentStyle:
        """The style that a model asks for."""
        return cls.ofPreset(metadata.labels, metadata.preset)

    @classmethod
    def ofPreset(cls, names: Mapping[int, str], preset: Preset) -> SegmentStyle:
        """The style that a preset asks for, with names of the cases' own."""
        return cls(names, preset.colors, preset.terminology)

    def withNames(self, names: Mapping[int, str]) -> SegmentStyle:
        """The same style for segments of other names."""
        return SegmentStyle(names, self.colors, self.terminology)

    def colorOf(self, value: int) -> tuple[float, ...]:
        """Red, green and blue from 0 to 1."""
        color = self.colors.get(value) or _PALETTE[(value - 1) % len(_PALETTE)]
        return tuple(part / 255 for part in color)


def newSegmentation(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, name: str
) -> slicer.vtkMRMLSegmentationNode:
    """Make an empty segmentation node, beside the volume in the subject hierarchy."""
    scene = volumeNode.GetScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(name))
    node.CreateDefaultDisplayNodes()
    placeBeside(node, volumeNode)
    return node


def emptyOver(
    node: slicer.vtkMRMLSegmentationNode, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Drop a node's segments and lay it over a volume: its grid and its parent transform."""
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
    """Add a segment for each name; all share the image, whose voxels are not copied.

    Args:
        node: the segmentation to add to.
        image: label values, in the coordinates of the volume before its parent transform.
        volumeNode: the volume.
        style: what the segments are called and look like.

    Raises:
        GenSegError: a warp lies between the node and the volume, or the node's surfaces cannot be
            made into voxels; nothing is added then.
    """
    between = linearMatrix(transformBetween(volumeNode, node))
    if between is None:
        raise GenSegError(
            _(
                "{segmentation} is warped against {volume}; choose a new segmentation or give both "
                "the same parent transform"
            ).format(segmentation=node.GetName(), volume=volumeNode.GetName())
        )
    moved = slicer.vtkOrientedImageData()
    moved.ShallowCopy(image)
    moved.SetGeometryFromImageToWorldMatrix(matrixFromArray(between @ imageGrid(image)))
    segmentation = node.GetSegmentation()
    _requireVoxels(node)
    for value, name in sorted(style.names.items()):
        segment = slicer.vtkSegment()
        segment.SetName(_freeName(segmentation, name))
        segment.SetColor(*style.colorOf(value))
        if value in style.terminology:
            segment.SetTag(segment.GetTerminologyEntryTagName(), style.terminology[value])
        segment.AddRepresentation(BINARY, moved)
        segment.SetLabelValue(value)
        segmentation.AddSegment(segment, segmentation.GenerateUniqueSegmentID(name))


def _requireVoxels(node: slicer.vtkMRMLSegmentationNode) -> None:
    """Turn a segmentation of surfaces into one of voxels, as the Segment Editor does.

    It would turn what is added into surfaces, which are smaller than the voxels.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetSourceRepresentationName() == BINARY:
        return
    if segmentation.GetNumberOfSegments() and not segmentation.CreateRepresentation(BINARY):
        raise GenSegError(
            _("{segmentation} cannot be made into voxels; choose a new segmentation").format(
                segmentation=node.GetName()
            )
        )
    segmentation.SetSourceRepresentationName(BINARY)


def _freeName(segmentation: slicer.vtkSegmentation, name: str) -> str:
    """The name, with the first number behind it that makes it the only one."""
    count = segmentation.GetNumberOfSegments()
    taken = {segmentation.GetNthSegment(k).GetName() for k in range(count)}
    candidates = (name, *(f"{name}_{k}" for k in range(1, count + 1)))
    return next(candidate for candidate in candidates if candidate not in taken)
