"""The label map that follows a changing volume in the slice views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from GenSegLib.models.folder import ModelMetadata
from GenSegSlicerLib.ColorTables import addHidden, setClasses
from GenSegSlicerLib.Geometry import matrixFromArray
from GenSegSlicerLib.SegmentNodes import SegmentStyle
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.SliceViews import showVolume

_OVERLAY_OPACITY = 0.4
_LIVE_ATTRIBUTE = "GenSeg.Live"  # of label maps: the ID of the volume that they follow


@dataclass(frozen=True)
class LabelLayer:
    """A label map in a slice view, its opacity, and whether it is shown by outlines."""

    labelID: str | None
    opacity: float
    outlines: bool

    @classmethod
    def of(cls, composite: Any, sliceNode: Any) -> LabelLayer:
        """Return what a view shows."""
        outlines = bool(sliceNode.GetUseLabelOutline())
        return cls(composite.GetLabelVolumeID(), composite.GetLabelOpacity(), outlines)

    def show(self, composite: Any, sliceNode: Any) -> None:
        """Show this in a view."""
        composite.SetLabelVolumeID(self.labelID)
        composite.SetLabelOpacity(self.opacity)
        sliceNode.SetUseLabelOutline(self.outlines)


# By the ID of a view's layers. Live segmentations may take turns in a view: that one which is shown
# last restores what was there before all of them.
_labelsBefore: dict[str, LabelLayer] = {}


class LiveView:
    """A label map over a volume, in nodes that are not saved with the scene.

    Args:
        volumeNode: the volume.
        metadata: of the model, whose classes the label map shows.
        outlines: show outlines, or areas that are partly transparent.

    Attributes:
        labelNode: the label map volume, None until there is a result.
    """

    def __init__(self, volumeNode: Any, metadata: ModelMetadata, outlines: bool = True) -> None:
        self.labelNode: Any = None
        self._volumeNode, self._style = volumeNode, SegmentStyle.ofModel(metadata)
        self._colors: Any = None
        self._outlines = outlines

    def show(self, label: np.ndarray, ijkToRAS: np.ndarray) -> None:
        """Show label values (i, j, k) of the image that had this IJK-to-RAS matrix.

        The views are fitted to the first image, and again when the size changes.
        """
        if self.labelNode is None or not slicer.mrmlScene.IsNodePresent(self.labelNode):
            self._addNodes()
        node, image = self.labelNode, self.labelNode.GetImageData()
        voxels = None if image is None else voxelsOf(image)
        isSame = voxels is not None and voxels.T.shape == label.shape
        with slicer.util.NodeModify(node):
            node.SetIJKToRASMatrix(matrixFromArray(ijkToRAS))
            node.SetAndObserveTransformNodeID(self._volumeNode.GetTransformNodeID())
            if isSame and voxels.dtype == label.dtype:
                voxels[...] = label.T
                image.GetPointData().GetScalars().Modified()
                image.Modified()
            else:
                node.SetAndObserveImageData(_imageOf(label))
        if not isSame:
            _rememberLabels()
            showVolume(self._volumeNode)
            self._showLayer()

    def setOutlines(self, outlines: bool) -> None:
        """Show outlines, or areas that are partly transparent."""
        self._outlines = outlines
        if self.labelNode is not None:
            _rememberLabels()
            self._showLayer()

    def remove(self) -> None:
        """Remove the label map from the scene; its views show what they did before."""
        if self.labelNode is None:
            return
        for composite, sliceNode in _sliceViews():
            if composite.GetLabelVolumeID() == self.labelNode.GetID():
                _labelsBefore[composite.GetID()].show(composite, sliceNode)
        for node in (self.labelNode, self.labelNode.GetDisplayNode(), self._colors):
            if node is not None and slicer.mrmlScene.IsNodePresent(node):
                slicer.mrmlScene.RemoveNode(node)
        self.labelNode = self._colors = None

    def _showLayer(self) -> None:
        """Show the label map in the views that show the volume."""
        opacity = 1.0 if self._outlines else _OVERLAY_OPACITY
        layer = LabelLayer(self.labelNode.GetID(), opacity, self._outlines)
        for composite, sliceNode in _sliceViews():
            if composite.GetBackgroundVolumeID() == self._volumeNode.GetID():
                layer.show(composite, sliceNode)

    def _addNodes(self) -> None:
        self._colors = addHidden(slicer.vtkMRMLColorTableNode())
        setClasses(self._colors, self._style)
        node = slicer.vtkMRMLLabelMapVolumeNode()
        node.SetName(_("{volume} live").format(volume=self._volumeNode.GetName()))
        node.SetAttribute(_LIVE_ATTRIBUTE, self._volumeNode.GetID())
        self.labelNode = addHidden(node)
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetSaveWithScene(False)
        node.GetDisplayNode().SetAndObserveColorNodeID(self._colors.GetID())


def _rememberLabels() -> None:
    """Remember what all views show beside label maps of live segmentations."""
    for composite, sliceNode in _sliceViews():
        shown = slicer.mrmlScene.GetNodeByID(composite.GetLabelVolumeID() or "")
        if shown is None or shown.GetAttribute(_LIVE_ATTRIBUTE) is None:
            _labelsBefore[composite.GetID()] = LabelLayer.of(composite, sliceNode)


def _sliceViews() -> list[tuple[Any, Any]]:
    """Return the layers and the slice node of each view."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceNode")
    slices = {node.GetLayoutName(): node for node in nodes}
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    views = [(node, slices.get(node.GetLayoutName())) for node in composites]
    return [(composite, sliceNode) for composite, sliceNode in views if sliceNode is not None]


def _imageOf(label: np.ndarray) -> vtk.vtkImageData:
    image = vtk.vtkImageData()
    image.SetDimensions(*label.shape)
    image.GetPointData().SetScalars(numpy_to_vtk(label.T.ravel(), deep=True))
    return image
