"""Shows volumes, pairs and plots in Slicer's views, by their MRML nodes."""

from __future__ import annotations

from typing import Any

import slicer

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
    """Show two volumes, each with its label map, beside each other in the same orientation."""
    for view, (imageNode, labelNode) in ((LEFT, left), (RIGHT, right)):
        compositeNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{view}")
        sliceNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}")
        if compositeNode is None or sliceNode is None:
            continue
        compositeNode.SetBackgroundVolumeID(imageNode.GetID())
        compositeNode.SetForegroundVolumeID(None)
        compositeNode.SetLabelVolumeID(labelNode.GetID())
        compositeNode.SetLabelOpacity(1.0 if outlines else 0.5)
        sliceNode.SetOrientation("Axial")
        sliceNode.SetUseLabelOutline(outlines)
    slicer.util.resetSliceViews()


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
