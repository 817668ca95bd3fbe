"""Display of volumes, segmentations and plots in Slicer's views."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from GenSegLib.steps import Steps
from GenSegSlicerLib.CoarseSurfaces import surfaceSteps
from GenSegSlicerLib.Geometry import (
    isFlat,
    linearMatrix,
    localIJKToRAS,
    sliceAxis,
    transformBetween,
)
from GenSegSlicerLib.Segments import voxelsOf

LEFT, RIGHT = "Red", "Yellow"
_ONE_VIEW = slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
_LAYOUT_ATTRIBUTE = "GenSeg.LayoutBefore2D"


def showPair(volumeNode: Any, segmentationNode: Any) -> None:
    """Show a volume with its segmentation in all slice views; hide those of other volumes."""
    isLabelMap = segmentationNode.IsA("vtkMRMLLabelMapVolumeNode")
    for other in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        reference = other.GetNodeReference(other.GetReferenceImageGeometryReferenceRole())
        if other is not segmentationNode and reference not in (None, volumeNode):
            _setVisible(other, False)
    for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        compositeNode.SetBackgroundVolumeID(volumeNode.GetID())
        compositeNode.SetForegroundVolumeID(None)  # an overlay of another volume
        compositeNode.SetLabelVolumeID(segmentationNode.GetID() if isLabelMap else None)
    if not isLabelMap:
        segmentationNode.CreateDefaultDisplayNodes()
        _setVisible(segmentationNode, True)
    fitViews(volumeNode)


def showVolume(volumeNode: Any) -> None:
    """Show a volume alone in all slice views."""
    for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        compositeNode.SetBackgroundVolumeID(volumeNode.GetID())
        compositeNode.SetForegroundVolumeID(None)
        compositeNode.SetLabelVolumeID(None)
    fitViews(volumeNode)


def fitViews(volumeNode: Any) -> None:
    """Fit the slice views to a volume; a 2-D image fills one view, right way up.

    The layout from before the first 2-D image is restored for a volume of several slices.
    """
    layout = layoutNode()
    if isFlat(volumeNode):
        if layout is not None and layout.GetViewArrangement() != _ONE_VIEW:
            layout.SetAttribute(_LAYOUT_ATTRIBUTE, str(layout.GetViewArrangement()))
            layout.SetViewArrangement(_ONE_VIEW)
        faceImage(volumeNode, LEFT)
    elif layout is not None and layout.GetAttribute(_LAYOUT_ATTRIBUTE):
        if layout.GetViewArrangement() == _ONE_VIEW:
            layout.SetViewArrangement(int(layout.GetAttribute(_LAYOUT_ATTRIBUTE)))
        layout.RemoveAttribute(_LAYOUT_ATTRIBUTE)
        _sliceNode(LEFT).SetOrientation("Axial")
    slicer.util.resetSliceViews()


def alignWithVoxels(volumeNode: Any) -> None:
    """Turn the slice views to those planes of an oblique volume that are closest to them.

    A brush on other planes would touch many slices of the volume and draw none of them completely.
    """
    if not isFlat(volumeNode):
        for sliceNode in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            sliceNode.RotateToVolumePlane(volumeNode)


def faceImage(volumeNode: Any, view: str) -> None:
    """Turn a slice view to a 2-D image: its rows run to the right, and its columns down."""
    sliceNode = _sliceNode(view)
    toWorld = linearMatrix(transformBetween(volumeNode, None))
    ijkToRAS = localIJKToRAS(volumeNode)
    if sliceNode is None:
        return
    axes = (ijkToRAS if toWorld is None else toWorld @ ijkToRAS)[:3, :3]
    rows, columns = (axes[:, k] for k in range(3) if k != sliceAxis(volumeNode))
    right = rows / np.linalg.norm(rows)
    down = columns - right * (columns @ right)
    up = -down / np.linalg.norm(down)
    matrix = sliceNode.GetSliceToRAS()
    for column, direction in enumerate((right, up, np.cross(right, up))):
        for row in range(3):
            matrix.SetElement(row, column, float(direction[row]))
    sliceNode.UpdateMatrices()


def _sliceNode(view: str) -> Any:
    """Return the slice node of a view, None if there is none."""
    return slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{view}")


def showOverlay(volumeNode: Any) -> None:
    """Show a volume, half transparent, in front of the background of all slice views."""
    for compositeNode in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
        compositeNode.SetForegroundVolumeID(volumeNode.GetID())
        compositeNode.SetForegroundOpacity(0.5)


def showSideBySide(left: tuple[Any, Any], right: tuple[Any, Any], outlines: bool = False) -> None:
    """Show two volumes with their label maps side by side in axial orientation.

    Both views have the same scale and are centered on the labels, since generated patches differ
    from whole cases in size and position; volumes with the same geometry show the same position.
    """
    shown = []
    for view, (imageNode, labelNode) in ((LEFT, left), (RIGHT, right)):
        compositeNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{view}")
        sliceNode = _sliceNode(view)
        if compositeNode is None or sliceNode is None:
            continue
        compositeNode.SetBackgroundVolumeID(imageNode.GetID())
        compositeNode.SetForegroundVolumeID(None)
        compositeNode.SetLabelVolumeID(labelNode.GetID())
        sliceNode.SetOrientation("Axial")
        if isFlat(imageNode):
            faceImage(imageNode, view)
        shown.append((sliceNode, labelNode))
    showOutlines(outlines)
    slicer.util.resetSliceViews()
    if len(shown) == 2:
        _alignViews(*shown)


def _alignViews(left: tuple[Any, Any], right: tuple[Any, Any]) -> None:
    (leftSlice, leftLabels), (rightSlice, rightLabels) = left, right
    leftCenter, rightCenter = _labelCenter(leftLabels), _labelCenter(rightLabels)
    if _haveSameGeometry(leftLabels, rightLabels):
        rightCenter = leftCenter
    scale = max(_mmPerPixel(leftSlice), _mmPerPixel(rightSlice))
    for sliceNode, center in ((leftSlice, leftCenter), (rightSlice, rightCenter)):
        width, height, _depth = sliceNode.GetDimensions()
        sliceNode.SetFieldOfView(scale * width, scale * height, sliceNode.GetFieldOfView()[2])
        sliceNode.JumpSliceByCentering(*center)


def _haveSameGeometry(volumeNode: Any, other: Any) -> bool:
    sizes = {node.GetImageData().GetDimensions() for node in (volumeNode, other)}
    return len(sizes) == 1 and np.array_equal(localIJKToRAS(volumeNode), localIJKToRAS(other))


def _mmPerPixel(sliceNode: Any) -> float:
    return float(sliceNode.GetFieldOfView()[0] / max(sliceNode.GetDimensions()[0], 1))


def _labelCenter(labelNode: Any) -> list[float]:
    """Center in RAS mm of the bounding box of all labels, or of the volume if there are none."""
    labeled = voxelsOf(labelNode.GetImageData()) > 0
    center = []
    for axis in (2, 1, 0):  # i, j, k
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(labeled.any(axis=others))
        ends = (found[0], found[-1]) if found.size else (0, labeled.shape[axis] - 1)
        center.append(sum(ends) // 2)
    return [float(part) for part in (localIJKToRAS(labelNode) @ [*center, 1.0])[:3]]


def showOutlines(outlines: bool) -> None:
    """Show the label maps in both views as outlines or filled."""
    for view in (LEFT, RIGHT):
        compositeNode = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{view}")
        sliceNode = _sliceNode(view)
        if compositeNode is not None and sliceNode is not None:
            compositeNode.SetLabelOpacity(1.0 if outlines else 0.5)
            sliceNode.SetUseLabelOutline(outlines)


def showIn3DSteps(segmentationNode: Any) -> Steps[None]:
    """Show the segments as closed surfaces, in a layout with a 3D view, see `surfaceSteps`."""
    yield from surfaceSteps(segmentationNode)
    if segmentationNode.GetScene() is not None:  # it may have been removed meanwhile
        segmentationNode.CreateDefaultDisplayNodes()
        segmentationNode.GetDisplayNode().SetVisibility3D(True)
        _show3DView()
        slicer.util.resetThreeDViews()


def showChart(chartNode: Any) -> None:
    """Show a plot chart, in a layout with a plot view."""
    slicer.modules.plots.logic().ShowChartInLayout(chartNode)
    fitChart(chartNode)


def fitChart(chartNode: Any) -> None:
    """Fit the axes of the plot views that show a chart to its series."""
    manager = slicer.app.layoutManager()  # None without a main window
    for index in range(manager.plotViewCount if manager is not None else 0):
        widget = manager.plotWidget(index)
        if widget.mrmlPlotViewNode().GetPlotChartNodeID() == chartNode.GetID():
            widget.plotView().fitToContent()


def layoutNode() -> Any:
    """Return the layout node of the scene, None if there is none."""
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def viewsInLayout(className: str) -> list[Any]:
    """Return the view nodes of a class that the current layout contains."""
    manager = slicer.app.layoutManager()
    if manager is None:  # there is no main window
        return []
    nodes = manager.layoutLogic().GetViewNodes()
    views = [nodes.GetItemAsObject(index) for index in range(nodes.GetNumberOfItems())]
    return [view for view in views if view.IsA(className)]


def _show3DView() -> None:
    """Switch to a layout with a 3D view, unless the current one has one."""
    layout = layoutNode()
    if layout is not None and not viewsInLayout("vtkMRMLViewNode"):
        layout.SetViewArrangement(layout.SlicerLayoutFourUpView)


def _setVisible(segmentationNode: Any, visible: bool) -> None:
    if segmentationNode.GetDisplayNode() is not None:
        segmentationNode.GetDisplayNode().SetVisibility(visible)
