"""Side-by-side display of images and labels of a run for *Review*."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.ColorTables import addHidden, setClasses
from GenSegSlicerLib.ImageFiles import newVolumeNode, orientedImage
from GenSegSlicerLib.ReviewFeedback import ReviewItem
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.SliceViews import showOutlines, showSideBySide
from GenSegSlicerLib.VolumeFiles import readVolume

_COLORS = "colors"
_RGB = 3
_SIDES = ("left", "right")
_LAYERS = ("BackgroundVolumeID", "ForegroundVolumeID", "LabelVolumeID", "LabelOpacity")


class ReviewViews:
    """Shows one item at a time in nodes that are not saved with the scene."""

    def __init__(self) -> None:
        self._nodes: dict[str, Any] = {}
        self._colorsOf: Path | None = None  # run whose classes the color table has
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
        images = [_readImage(path) for path in (item.otherImage, item.image)]
        labels = [_readLabel(path) for path in (item.otherLabel, item.label)]
        with slicer.util.RenderBlocker():
            if self._savedViews is None:
                self._savedViews = SavedViews()
                self._savedViews.hideSegmentations()
                showTwoSliceViews()
            colors = self._colorTable(run)
            pairs = [
                (
                    self._show(f"{side} image", image, f"{title} ({_('image')})"),
                    self._show(f"{side} labels", label, f"{title} ({_('labels')})", colors),
                )
                for side, title, image, label in zip(_SIDES, _titles(item), images, labels)
            ]
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
            _remove(node)
        self._nodes = {}
        self._colorsOf = self._savedViews = None

    def _show(self, key: str, volume: Any, title: str, colors: Any = None) -> Any:
        """Replace the voxels of a node by those of a volume that is not in the scene.

        A node in the scene is never without voxels, for which the views' pipelines log errors.
        """
        node = self._nodes.get(key)
        if node is not None and node.GetClassName() != volume.GetClassName():
            _remove(node)  # another run has images in color
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            node = self._nodes[key] = addHidden(volume)
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().SetSaveWithScene(False)
        with slicer.util.NodeModify(node):
            node.CopyOrientation(volume)
            node.SetAndObserveImageData(volume.GetImageData())
            node.SetName(f"GenSeg {title}")
        if colors is not None:
            node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        return node

    def _colorTable(self, run: Path) -> Any:
        """Return a color table node with the classes of a run."""
        node = self._nodes.get(_COLORS)
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            node = self._nodes[_COLORS] = addHidden(slicer.vtkMRMLColorTableNode())
        elif run == self._colorsOf:
            return node
        self._colorsOf = run
        folder = RunFolder(run)
        setClasses(node, SegmentStyle.ofPreset(folder.labels, folder.preset))
        return node


def _readImage(path: Path) -> Any:
    """Read an image into a node that is not in the scene, colors as the views show them.

    Images are normalized, but views show colors in 8 bits. Of other channels, they show the first.
    """
    node, _storage = readVolume(path)
    voxels = voxelsOf(node.GetImageData())
    if voxels.ndim == 3:
        return node
    shown = newVolumeNode(voxels.shape[-1] if voxels.shape[-1] == _RGB else 1)
    shown.CopyOrientation(node)
    if voxels.shape[-1] == _RGB:
        low, high = float(voxels.min()), float(voxels.max())
        voxels = ((voxels - low) * (255 / max(high - low, 1e-6))).astype(np.uint8)
    else:
        voxels = voxels[..., 0]
    shown.SetAndObserveImageData(orientedImage(voxels, np.eye(4)))
    return shown


def _readLabel(path: Path) -> Any:
    """Read a label map into a node that is not in the scene."""
    node = slicer.vtkMRMLLabelMapVolumeNode()
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    storage.SetCenterImage(False)
    if not storage.ReadData(node):
        text = _("{path} cannot be read; select another item")
        raise GenSegError(text.format(path=path))
    return node


def _remove(node: Any) -> None:
    """Remove a node from the scene, with its display if it is a volume."""
    isVolume = node.IsA("vtkMRMLVolumeNode")
    for each in (node, node.GetDisplayNode()) if isVolume else (node,):
        if each is not None and slicer.mrmlScene.IsNodePresent(each):
            slicer.mrmlScene.RemoveNode(each)


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
