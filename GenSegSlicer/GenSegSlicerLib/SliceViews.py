"""Shows volumes, pairs and plots in Slicer's views, by their MRML nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from GenSegSlicerLib.Geometry import localGrid
from GenSegSlicerLib.Segments import voxelsOf

LEFT, RIGHT = "Red", "Yellow"


def showPair(volumeNode: Any, segmentationNode: Any) -> None:
    """Show a volume with its segmentation in all slice views, without those of other volumes."""
    isLabelMap = segmentationNode.IsA("vtkMRMLLabelMapVolumeNode")
    for other in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        reference = other.GetNodeReference(other.GetReferenceImageGeometryReferenceRole())
        if other is not segmentationNode and reference not in (None, volumeNode):
            _setVisible(other, False)
    for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        compositeNode.SetBackgroundVolumeID(volumeNode.GetID())
        compositeNode.SetLabelVolumeID(segmentationNode.GetID() if isLabelMap else None)
    if not isLabelMap:
        segmentationNode.CreateDefaultDisplayNodes()
        _setVisible(segmentationNode, True)
    slicer.util.resetSliceViews()


def showSideBySide(left: tuple[Any, Any], right: tuple[Any, Any], outlines: bool = False) -> None:
    """Show two volumes, each with its label map, beside each other in the same orientation.

    Both are shown at one scale with the labels in the middle, since what is generated is smaller
    than a whole case and lies elsewhere; volumes of one grid are shown at one place.
    """
    shown = []
    for view, (imageNode, labelNode) in ((LEFT, left), (RIGHT, right)):
        compositeNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{view}")
        sliceNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}")
        if compositeNode is None or sliceNode is None:
            continue
        compositeNode.SetBackgroundVolumeID(imageNode.GetID())
        compositeNode.SetForegroundVolumeID(None)
        compositeNode.SetLabelVolumeID(labelNode.GetID())
        sliceNode.SetOrientation("Axial")
        shown.append((sliceNode, labelNode))
    showOutlines(outlines)
    slicer.util.resetSliceViews()
    if len(shown) == 2:
        _showAlike(*shown)


def _showAlike(left: tuple[Any, Any], right: tuple[Any, Any]) -> None:
    (leftSlice, leftLabels), (rightSlice, rightLabels) = left, right
    leftCenter, rightCenter = _centerOf(leftLabels), _centerOf(rightLabels)
    if _haveOneGrid(leftLabels, rightLabels):
        rightCenter = leftCenter
    scale = max(_mmOfPixel(leftSlice), _mmOfPixel(rightSlice))
    for sliceNode, center in ((leftSlice, leftCenter), (rightSlice, rightCenter)):
        width, height, _depth = sliceNode.GetDimensions()
        sliceNode.SetFieldOfView(scale * width, scale * height, sliceNode.GetFieldOfView()[2])
        sliceNode.JumpSliceByCentering(*center)


def _haveOneGrid(volumeNode: Any, other: Any) -> bool:
    sizes = {node.GetImageData().GetDimensions() for node in (volumeNode, other)}
    return len(sizes) == 1 and np.array_equal(localGrid(volumeNode), localGrid(other))


def _mmOfPixel(sliceNode: Any) -> float:
    return float(sliceNode.GetFieldOfView()[0] / max(sliceNode.GetDimensions()[0], 1))


def _centerOf(labelNode: Any) -> list[float]:
    """The middle, in RAS mm, of the box around all labels; of the volume where there are none."""
    labeled = voxelsOf(labelNode.GetImageData()) > 0
    middle = []
    for axis in (2, 1, 0):  # i, j, k
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(labeled.any(axis=others))
        ends = (found[0], found[-1]) if found.size else (0, labeled.shape[axis] - 1)
        middle.append(sum(ends) // 2)
    return [float(part) for part in (localGrid(labelNode) @ [*middle, 1.0])[:3]]


def showOutlines(outlines: bool) -> None:
    """Show the label maps of the two views as outlines, or filled."""
    for view in (LEFT, RIGHT):
        compositeNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{view}")
        sliceNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}")
        if compositeNode is not None and sliceNode is not None:
            compositeNode.SetLabelOpacity(1.0 if outlines else 0.5)
            sliceNode.SetUseLabelOutline(outlines)


def showIn3D(segmentationNode: Any) -> None:
    """Show the segments in the 3D view."""
    segmentationNode.CreateClosedSurfaceRepresentation()
    segmentationNode.CreateDefaultDisplayNodes()
    segmentationNode.GetDisplayNode().SetVisibility3D(True)
    slicer.util.resetThreeDViews()


def showChart(chartNode: Any) -> None:
    """Show a plot, in a layout that has room for one."""
    slicer.modules.plots.logic().ShowChartInLayout(chartNode)


def _setVisible(segmentationNode: Any, visible: bool) -> None:
    if segmentationNode.GetDisplayNode() is not None:
        segmentationNode.GetDisplayNode().SetVisibility(visible)
