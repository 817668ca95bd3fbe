"""The nodes in which *Review* shows files of a run: two volumes and two label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.ReviewFeedback import ReviewItem
from GenSegSlicerLib.SliceViews import showOutlines, showSideBySide

_IMAGE, _LABEL = "vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode"


class ReviewViews:
    """Shows one item at a time; its nodes are not saved with the scene."""

    def __init__(self) -> None:
        self._nodes: dict[str, Any] = {}

    def show(self, item: ReviewItem, outlines: bool) -> None:
        """Show an item and what it is compared with beside each other.

        Raises:
            GenSegError: one of the files cannot be read.
        """
        left, right = _titles(item)
        shown = (
            (self._read("otherImage", _IMAGE, item.otherImage, left),
             self._read("otherLabel", _LABEL, item.otherLabel, left)),
            (self._read("image", _IMAGE, item.image, right),
             self._read("label", _LABEL, item.label, right)),
        )  # fmt: skip
        showSideBySide(*shown, outlines)

    def showOutlines(self, outlines: bool) -> None:
        """Show the labels as outlines, or filled."""
        if self._nodes:
            showOutlines(outlines)

    def forget(self) -> None:
        """Remove the nodes from the scene, where they still are."""
        for node in self._nodes.values():
            if slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        self._nodes = {}

    def _read(self, place: str, className: str, path: Path, title: str) -> Any:
        node = self._node(place, className)
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
        storage.SetFileName(str(path))
        storage.SetCenterImage(False)
        if not storage.ReadData(node):
            raise GenSegError(f"{path} cannot be read; the run goes on, choose another item")
        suffix = _("labels") if className == _LABEL else _("image")
        node.SetName(f"GenSeg {title} ({suffix})")
        return node

    def _node(self, place: str, className: str) -> Any:
        node = self._nodes.get(place)
        if node is None or not slicer.mrmlScene.IsNodePresent(node):
            node = slicer.mrmlScene.AddNewNodeByClass(className)
            node.SetHideFromEditors(True)
            node.SetSaveWithScene(False)
            node.CreateDefaultDisplayNodes()
            node.GetDisplayNode().SetSaveWithScene(False)
            self._nodes[place] = node
        return node


def _titles(item: ReviewItem) -> tuple[str, str]:
    if item.kind == "generated":
        return _("real"), _("generated")
    return _("reference"), _("prediction")
