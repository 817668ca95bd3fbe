"""Segments of segmentation nodes and label map volumes: names, terminology and voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
_MAX_BINCOUNT_VALUE = 1 << 16


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
    counts = countValues(voxelsOf(node.GetImageData()))
    return [Segment(names.get(value) or f"Label {value}", "", value) for value in counts if value]


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
    """Return the voxels of an image as array (k, j, i) without copying; empty if there are none."""
    scalars = image.GetPointData().GetScalars()
    if scalars is None or image.GetNumberOfPoints() == 0:
        return np.zeros((0, 0, 0), np.uint8)
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def countValues(voxels: np.ndarray) -> dict[int, int]:
    """Count the voxels of each value, sorted by value; works slice by slice to save memory."""
    counts: dict[int, int] = {}
    for part in voxels:
        low, high = int(part.min()), int(part.max())
        if part.dtype.kind in "iu" and low >= 0 and high < _MAX_BINCOUNT_VALUE:
            found = np.bincount(part.ravel())
            values = np.flatnonzero(found)
            frequencies = found[values]
        else:
            values, frequencies = np.unique(part, return_counts=True)
        for value, frequency in zip(values, frequencies):
            counts[int(value)] = counts.get(int(value), 0) + int(frequency)
    return dict(sorted(counts.items()))
