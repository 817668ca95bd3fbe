"""Side-by-side display of images and labels of a run for *Review*."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.ReviewFeedback import ReviewItem
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.SliceViews import showOutlines, showSideBySide

_IMAGE, _LABEL = "vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode"
_COLORS = "vtkMRMLColorTableNode"
_LAYERS = ("BackgroundVolumeID", "ForegroundVolumeID", "LabelVolumeID", "LabelOpacity")


class ReviewViews:
    """Shows one item at a time in nodes that are not saved with the scene."""

    def __init__(self) -> None:
        self._nodes: dict[str, Any] = {}
        self._savedViews: SavedViews | None = None

    @property
    def isShowing(self) -> bool:
        """Whether an item is shown."""
        return self._savedViews is not None

    def show(self, run: Path, item: ReviewItem, outlines: bool) -> None:
        """Show an item beside the pair or reference that it is compared with.

        Raises:
            GenSegError: a file cannot be read.
        """
        if self._savedViews is None:
            self._savedViews = SavedViews()
            self._savedViews.hideSegmentations()
            showTwoSliceViews()
        colors = self._colorTable(run)
        left, right = _titles(item)
        images = (("otherImage", item.otherImage, left), ("image", item.image, right))
        labels = (("otherLabel", item.otherLabel, left), ("label", item.label, right))
        imageNodes = [self._read(_IMAGE, *each) for each in images]
        labelNodes = [self._read(_LABEL, *each) for each in labels]
        for node in labelNodes:
            node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        pairs = list(zip(imageNodes, labelNodes))
        showSideBySide(pairs[0], pairs[1], outlines)

    def showOutlines(self, outlines: bool) -> None:
        """Show labels as outlines or filled."""
        if self._nodes:
            showOutlines(outlines)

    def close(self) -> None:
        """Restore the views and remove the nodes from the scene."""
        if self._savedViews is not None:
            self._savedViews.restore()
        self.removeNodes()

    def removeNodes(self) -> None:
        """Remove the nodes from the scene without restoring the views."""
        for node in self._nodes.values():
            if slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        self._nodes = {}
        self._savedViews = None

    def _read(self, className: str, key: str, path: Path, title: str) -> Any:
        node = self._node(key, className)
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storage.SetFileName(str(path))
        storage.SetCenterImage(False)
        if not storage.ReadData(node):
            text = _("{path} cannot be read; select another item")
            raise GenSegError(text.format(path=path))
        suffix = _("labels") if className == _LABEL else _("image")
        node.SetName(f"GenSeg {title} ({suffix})")
        return node

    def _colorTable(self, run: Path) -> Any:
        """Return a color table node with the classes of a run."""
        folder = RunFolder(run)
        names = folder.labels
        style = SegmentStyle.ofPreset(names, folder.preset)
        node = self._node("colors", _COLORS)
        node.SetTypeToUser()
        node.SetNumberOfColors(max(names, default=0) + 1)
        node.SetColor(0, "background", 0.0, 0.0, 0.0, 0.0)
        for value, name in names.items():
            node.SetColor(value, name, *style.colorOf(value), 1.0)
        return node

    def _node(self, key: str, className: str) -> Any:
        node = self._nodes.get(key)
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            node = slicer.mrmlScene.AddNewNodeByClass(className, f"GenSeg {key}")
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            if className != _COLORS:
                node.CreateDefaultDisplayNodes()
                node.GetDisplayNode().SetSaveWithScene(False)
            self._nodes[key] = node
        return node


class SavedViews:
    """Layout, layers, slice positions and visible segmentations at the time of creation."""

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
        """Hide all segmentations, which are unrelated to the reviewed images."""
        for display in self._visible:
            display.SetVisibility(False)

    def restore(self) -> None:
        """Restore the state of all nodes that are still in the scene."""
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


def showTwoSliceViews() -> None:
    """Switch to a layout with two slice views side by side."""
    if _layoutNode() is not None:
        _layoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)


def _titles(item: ReviewItem) -> tuple[str, str]:
    if item.kind == "generated":
        return _("real"), _("generated")
    return _("reference"), _("prediction")


def _copy(matrix: vtk.vtkMatrix4x4) -> vtk.vtkMatrix4x4:
    copy = vtk.vtkMatrix4x4()
    copy.DeepCopy(matrix)
    return copy


def _layoutNode() -> Any:
    return slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
