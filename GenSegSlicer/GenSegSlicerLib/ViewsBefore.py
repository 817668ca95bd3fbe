"""What Slicer's views showed before *Review* took them, so that they can be given back."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

_LAYERS = ("BackgroundVolumeID", "ForegroundVolumeID", "LabelVolumeID", "LabelOpacity")


class ViewsBefore:
    """Remembers layout, layers, slice positions and visible segmentations when it is made."""

    def __init__(self) -> None:
        self._layout = _layoutNode().GetViewArrangement() if _layoutNode() is not None else None
        self._layers = [
            (node, {name: getattr(node, f"Get{name}")() for name in _LAYERS})
            for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        ]
        self._slices = [
            (node, _copy(node.GetSliceToRAS()), node.GetFieldOfView(), node.GetUseLabelOutline())
            for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")
        ]
        displays = slicer.util.getNodesByClass("vtkMRMLSegmentationDisplayNode")
        self._visible = [node for node in displays if node.GetVisibility()]

    def hideSegmentations(self) -> None:
        """Show no segmentation of the scene: they lie elsewhere than what is reviewed."""
        for display in self._visible:
            display.SetVisibility(False)

    def restore(self) -> None:
        """Give back what is still in the scene."""
        for node, layers in self._layers:
            for name, value in layers.items():
                getattr(node, f"Set{name}")(value)
        if self._layout is not None and _layoutNode() is not None:
            _layoutNode().SetViewArrangement(self._layout)
        for node, sliceToRAS, fieldOfView, outlines in self._slices:
            node.GetSliceToRAS().DeepCopy(sliceToRAS)
            node.SetFieldOfView(*fieldOfView)
            node.SetUseLabelOutline(outlines)
            node.UpdateMatrices()
        for display in self._visible:
            if slicer.mrmlScene.IsNodePresent(display):
                display.SetVisibility(True)


def _copy(matrix: vtk.vtkMatrix4x4) -> vtk.vtkMatrix4x4:
    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(matrix)
    return copy


def showTwoViews() -> None:
    """Show two slice views beside each other."""
    if _layoutNode() is not None:
        _layoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)


def _layoutNode() -> Any:
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
