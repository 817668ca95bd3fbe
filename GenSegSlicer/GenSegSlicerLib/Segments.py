"""Segments of segmentation nodes and label map volumes: names, terminology and voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from GenSegLib.images.label_counts import label_counts

BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


@dataclass(frozen=True)
class Segment:
    """A segment: name, terminology entry, and segment ID (voxel value in a label map volume)."""

    name: str
    terminology: str
    key: str | int


def isSegmentation(node: slicer.vtkMRMLNode) -> bool:
    """Return whether a node is a segmentation node, not a label map volume."""
    return bool(node.IsA("vtkMRMLSegmentationNode"))


def isSurface(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return whether closed surface is the source representation."""
    return node.GetSegmentation().GetSourceRepresentationName() == SURFACE


def segmentTimes(node: slicer.vtkMRMLNode) -> tuple[int, ...]:
    """Return the modification times of the voxels and segments of a segmentation."""
    if isSegmentation(node):
        segmentation = node.GetSegmentation()
        source = segmentation.GetSourceRepresentationName()
        count = segmentation.GetNumberOfSegments()
        segments = [segmentation.GetNthSegment(index) for index in range(count)]
        parts = [*segments, *(segment.GetRepresentation(source) for segment in segments)]
    else:
        parts = [node.GetImageData()]
    return tuple(0 if part is None else part.GetMTime() for part in parts)


def segmentsOf(node: slicer.vtkMRMLNode) -> list[Segment]:
    """Return the segments of a segmentation node or a label map volume, in list order.

    Values of a label map are named by a user-defined color table, otherwise "Label 1".
    """
    if isSegmentation(node):
        segmentation = node.GetSegmentation()
        count = segmentation.GetNumberOfSegments()
        keys = [segmentation.GetNthSegmentID(k) for k in range(count)]
        return [_describe(segmentation.GetSegment(key), key) for key in keys]
    if node.GetImageData() is None:
        return []
    names = _colorNames(node)
    counts = label_counts(voxelsOf(node.GetImageData()))
    return [Segment(names.get(value) or f"Label {value}", "", value) for value in counts]


def _describe(segment: slicer.vtkSegment, key: str) -> Segment:
    terminology = vtk.reference("")
    segment.GetTag(segment.GetTerminologyEntryTagName(), terminology)
    return Segment(segment.GetName() or "", str(terminology), key)


def _colorNames(node: slicer.vtkMRMLLabelMapVolumeNode) -> dict[int, str]:
    display = node.GetDisplayNode()
    colors = None if display is None else display.GetColorNode()
    if colors is None or colors.GetSingletonTag():  # Slicer's default tables name 1 "tissue"
        return {}
    return {k: colors.GetColorName(k) for k in range(colors.GetNumberOfColors())}


def voxelsOf(image: vtk.vtkImageData) -> np.ndarray:
    """Return the voxels of an image as array (k, j, i) without copying; empty if there are none.

    Those of a vector image have the components as a fourth axis.
    """
    scalars = image.GetPointData().GetScalars()
    if scalars is None or image.GetNumberOfPoints() == 0:
        return np.zeros((0, 0, 0), np.uint8)
    voxels = vtk_to_numpy(scalars)
    return voxels.reshape((*image.GetDimensions()[::-1], *voxels.shape[1:]))
