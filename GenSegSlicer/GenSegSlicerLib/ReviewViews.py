"""The nodes in which *Review* shows files of a run: two volumes and two label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder
from GenSegSlicerLib.ReviewFeedback import ReviewItem
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.SliceViews import showOutlines, showSideBySide
from GenSegSlicerLib.ViewsBefore import ViewsBefore, showTwoViews

_IMAGE, _LABEL = "vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode"
_COLORS = "vtkMRMLColorTableNode"


class ReviewViews:
    """Shows one item at a time; its nodes are not saved with the scene."""

    def __init__(self) -> None:
        self._nodes: dict[str, Any] = {}
        self._before: ViewsBefore | None = None

    @property
    def isShowing(self) -> bool:
        """Whether an item is in the views."""
        return self._before is not None

    def show(self, run: Path, item: ReviewItem, outlines: bool) -> None:
        """Show an item and what it is compared with beside each other.

        Raises:
            GenSegError: one of the files cannot be read.
        """
        if self._before is None:
            self._before = ViewsBefore()
            self._before.hideSegmentations()
            showTwoViews()
        colors = self._colorsOf(run)
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
        """Show the labels as outlines, or filled."""
        if self._nodes:
            showOutlines(outlines)

    def leave(self) -> None:
        """Give the views back, and remove the nodes from the scene."""
        if self._before is not None:
            self._before.restore()
        self.forget()

    def forget(self) -> None:
        """Remove the nodes from the scene, where they still are."""
        for node in self._nodes.values():
            if slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        self._nodes = {}
        self._before = None

    def _read(self, className: str, place: str, path: Path, title: str) -> Any:
        node = self._node(place, className)
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storage.SetFileName(str(path))
        storage.SetCenterImage(False)
        if not storage.ReadData(node):
            text = _("{path} cannot be read; choose another picture")
            raise GenSegError(text.format(path=path))
        suffix = _("labels") if className == _LABEL else _("image")
        node.SetName(f"GenSeg {title} ({suffix})")
        return node

    def _colorsOf(self, run: Path) -> Any:
        """Give the color table of the run's classes."""
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

    def _node(self, place: str, className: str) -> Any:
        node = self._nodes.get(place)
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            node = slicer.mrmlScene.AddNewNodeByClass(className, f"GenSeg {place}")
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            if className != _COLORS:
                node.CreateDefaultDisplayNodes()
                node.GetDisplayNode().SetSaveWithScene(False)
            self._nodes[place] = node
        return node


def _titles(item: ReviewItem) -> tuple[str, str]:
    if item.kind == "generated":
        return _("real"), _("generated")
    return _("reference"), _("prediction")
