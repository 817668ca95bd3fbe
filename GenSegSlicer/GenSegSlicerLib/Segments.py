"""The segments of a segmentation node or of a label map volume: names and voxels as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
_LARGEST_COUNTED = 1 << 16


@dataclass(frozen=True)
class Segment:
    """One segment of a node: its name, its terminology string, and its place in the node.

    `key` is the segment's ID, or the voxel value in a label map volume.
    """

    name: str
    terminology: str
    key: str | int


def isSegmentation(node: slicer.vtkMRMLNode) -> bool:
    """Whether a node is a segmentation, and no label map volume."""
    return bool(node.IsA("vtkMRMLSegmentationNode"))


def isSurface(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Whether the segmentation was made of closed surfaces, so that voxels are only derived."""
    return node.GetSegmentation().GetSourceRepresentationName() == SURFACE


def segmentsOf(node: slicer.vtkMRMLNode) -> list[Segment]:
    """The segments of a segmentation node or of a label map volume, in their order.

    Values of a label map are named by the color table that the user gave it, otherwise "Label 1".
    """
    if isSegmentation(node):
        segmentation = node.GetSegmentation()
        count = segmentation.GetNumberOfSegments()
        keys = [segmentation.GetNthSegmentID(k) for k in range(count)]
        return [_describe(segmentation.GetSegment(key), key) for key in keys]
    if node.GetImageData() is None:
        return []
    names = _colorNames(node)
    counts = countValues(voxelsOf(node.GetImageData()))
    return [Segment(names.get(value) or f"Label {value}", "", value) for value in counts if value]


def _describe(segment: slicer.vtkSegment, key: str) -> Segment:
    terminology = vtk.reference("")
    segment.GetTag(segment.GetTerminologyEntryTagName(), terminology)
    return Segment(segment.GetName() or "", str(terminology), key)


def _colorNames(node: slicer.vtkMRMLLabelMapVolumeNode) -> dict[int, str]:
    display = node.GetDisplayNode()
    colors = None if display is None else display.GetColorNode()
    if colors is None or colors.GetSingletonTag():  # Slicer's own tables name value 1 "tissue"
        return {}
    return {k: colors.GetColorName(k) for k in range(colors.GetNumberOfColors())}


def voxelsOf(image: vtk.vtkImageData) -> np.ndarray:
    """The voxels of an image as array (k, j, i), not copied; empty where it has none."""
    scalars = image.GetPointData().GetScalars()
    if scalars is None or image.GetNumberOfPoints() == 0:
        return np.zeros((0, 0, 0), np.uint8)
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def countValues(voxels: np.ndarray) -> dict[int, int]:
    """How many voxels have each value, sorted by value; slice by slice, to save memory."""
    counts: dict[int, int] = {}
    for part in voxels:
        low, high = int(part.min()), int(part.max())
        if part.dtype.kind in "iu" and low >= 0 and high < _LARGEST_COUNTED:
            found = np.bincount(part.ravel())
            values = np.flatnonzero(found)
            numbers = found[values]
        else:
            values, numbers = np.unique(part, return_counts=True)
        for k, value in enumerate(values):
            counts[int(value)] = counts.get(int(value), 0) + int(numbers[k])
    return dict(sorted(counts.items()))
