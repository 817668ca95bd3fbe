"""qMRMLSegmentEditorWidget: Slicer's own Segment Editor logic behind its widget, without effects.

The effects (Paint, Threshold, ...) belong to modules that slicer-core does not include. Scripts
edit segments with `slicer.vtkSlicerSegmentEditorLogic` on the widget's segment editor node.
"""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from .node_combo_box import qMRMLNodeComboBox
from .properties import Property, registered, stored
from .views import qMRMLWidget

_VISIBLE_LAYERS = "SetForegroundVolumeID", "SetLabelVolumeID"


@registered
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The widget that edits the segments of a segmentation on its source volume."""

    currentSegmentIDChanged = Signal(str)
    sourceVolumeNodeChanged = Signal(object)
    segmentationNodeChanged = Signal(object)
    signatures = {
        **qMRMLWidget.signatures,
        "sourceVolumeNodeChanged(vtkMRMLVolumeNode*)": "sourceVolumeNodeChanged",
        "segmentationNodeChanged(vtkMRMLSegmentationNode*)": "segmentationNodeChanged",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self._parameters: Any = None
        self._tag = 0
        self._shown: dict[str, Any] = {"segmentation": None, "source": None, "segment": ""}
        self._is_observing_views = False
        self._is_updating = False
        self._segmentations = _node_selector("vtkMRMLSegmentationNode")
        self._volumes = _node_selector("vtkMRMLScalarVolumeNode")
        layout = QVBoxLayout(self)
        for title, box in (("Segmentation", self._segmentations), ("Source", self._volumes)):
            layout.addWidget(QLabel(title, self))
            layout.addWidget(box)
        changed = "currentNodeChanged(vtkMRMLNode*)"
        self._segmentations.connect(changed, self._on_segmentation_selected)
        self._volumes.connect(changed, self._on_source_selected)

    autoShowSourceVolumeNode = stored("bool", "autoShowSourceVolumeNode", True)
    readOnly = stored("bool", "readOnly", False)
    switchToSegmentationsButtonVisible = stored("bool", "switchToSegmentationsButtonVisible", True)
    segmentationNodeSelectorVisible = Property(
        "bool",
        lambda self: self._segmentations.visible,
        lambda self, visible: self._segmentations.setVisible(visible),
    )
    sourceVolumeNodeSelectorVisible = Property(
        "bool",
        lambda self: self._volumes.visible,
        lambda self, visible: self._volumes.setVisible(visible),
    )
    maximumNumberOfUndoStates = Property(
        "int",
        lambda self: self._logic.GetMaximumNumberOfUndoStates(),
        lambda self, count: self._logic.SetMaximumNumberOfUndoStates(count),
    )

    def setMRMLScene(self, scene: Any) -> None:
        """Set the scene; nodes that the selectors choose by themselves are not taken over."""
        if scene is self.mrmlScene():
            return
        for box in (self._segmentations, self._volumes):
            wasBlocked = box.blockSignals(True)
            box.setMRMLScene(scene)
            box.blockSignals(wasBlocked)
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(scene)
        super().setMRMLScene(scene)
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self) -> Any:
        return self._parameters

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        if node is self._parameters:
            return
        if self._parameters is not None:
            self._parameters.RemoveObserver(self._tag)
        self._parameters = node
        self._logic.SetSegmentEditorNode(node)
        if node is not None:
            modified = vtk.vtkCommand.ModifiedEvent
            self._tag = node.AddObserver(modified, lambda *_: self.updateWidgetFromMRML())
            self.updateWidgetFromMRML()

    def segmentationNode(self) -> Any:
        return self._segmentations.currentNode()

    def segmentationNodeID(self) -> str:
        return self._segmentations.currentNodeID

    def setSegmentationNode(self, node: Any) -> None:
        if self._logic.GetSegmentationNode() is not node:
            self._logic.SetSegmentationNode(node)

    def setSegmentationNodeID(self, node_id: str) -> None:
        self.setSegmentationNode(self.mrmlScene().GetNodeByID(node_id))

    def sourceVolumeNode(self) -> Any:
        return self._logic.GetSourceVolumeNode()

    def sourceVolumeNodeID(self) -> str:
        return self._volumes.currentNodeID

    def setSourceVolumeNode(self, node: Any) -> None:
        self._logic.SetSourceVolumeNode(node)

    def setSourceVolumeNodeID(self, node_id: str) -> None:
        self.setSourceVolumeNode(self.mrmlScene().GetNodeByID(node_id))

    def currentSegmentID(self) -> str:
        return self._logic.GetCurrentSegmentID()

    def setCurrentSegmentID(self, segment_id: str) -> None:
        if self._parameters is not None:
            self._parameters.SetSelectedSegmentID(segment_id)

    def activeEffect(self) -> None:
        """No effect: the host has none."""

    effectByName = setActiveEffect = setActiveEffectByName = lambda self, effect: None
    updateEffectList = installKeyboardShortcuts = uninstallKeyboardShortcuts = lambda self, *_: None

    def setupViewObservations(self) -> None:
        self._is_observing_views = True

    def removeViewObservations(self) -> None:
        self._is_observing_views = False

    def saveStateForUndo(self) -> None:
        self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def updateWidgetFromMRML(self) -> None:
        """Show the nodes of the segment editor node; an invalid segment is not shown."""
        scene = self.mrmlScene()
        is_busy = scene is None or scene.IsClosing() or scene.IsBatchProcessing()
        if self._parameters is None or is_busy or self._is_updating:
            return
        self._is_updating = True
        self._show_segmentation()
        self._show_source()
        self._is_updating = False
        segment_id = self.currentSegmentID()
        if segment_id != self._shown["segment"]:
            self._shown["segment"] = segment_id
            self.currentSegmentIDChanged.emit(segment_id)

    def _show_segmentation(self) -> None:
        """Select the segmentation with its reference volume and its first segment."""
        node = self._logic.GetSegmentationNode()
        _select_silently(self._segmentations, node)
        if node is self._shown["segmentation"]:
            return
        self._shown["segmentation"] = node
        if node is not None:
            role = node.GetReferenceImageGeometryReferenceRole()
            self._volumes.setCurrentNode(node.GetNodeReference(role))
            node.CreateDefaultDisplayNodes()
            if self._logic.GetSegmentIDs():
                self._parameters.SetSelectedSegmentID(self._logic.GetSegmentIDs()[0])
            self.hideLabelLayer()
        self.segmentationNodeChanged.emit(node)

    def _show_source(self) -> None:
        node = self._logic.GetSourceVolumeNode()
        if self._logic.GetSegmentationNode() is None or node is self._shown["source"]:
            return
        self._shown["source"] = node
        _select_silently(self._volumes, node)
        if node is not None and self.autoShowSourceVolumeNode:
            self.showSourceVolumeInSliceViewers()
        self.sourceVolumeNodeChanged.emit(node)

    def showSourceVolumeInSliceViewers(self, force: bool = False, fit: bool = False) -> None:
        """Show the source volume in all slice views that do not show it."""
        source = self._logic.GetSourceVolumeNode().GetID()
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            if force or source not in (node.GetBackgroundVolumeID(), node.GetForegroundVolumeID()):
                node.SetBackgroundVolumeID(source)
                for set_volume in _VISIBLE_LAYERS:
                    getattr(node, set_volume)(None)

    def hideLabelLayer(self) -> None:
        for node in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"):
            node.SetLabelVolumeID(None)

    def _on_segmentation_selected(self, node: Any) -> None:
        """Edit the node that the user, or the selector after a removal, selected."""
        if self.mrmlScene() is not None and not self.mrmlScene().IsBatchProcessing():
            self.setSegmentationNode(node)

    def _on_source_selected(self, node: Any) -> None:
        if self.mrmlScene() is not None and not self.mrmlScene().IsBatchProcessing():
            self.setSourceVolumeNode(node)


def _node_selector(node_type: str) -> qMRMLNodeComboBox:
    box = qMRMLNodeComboBox()
    box.nodeTypes = [node_type]
    box.noneEnabled = True
    return box


def _select_silently(box: qMRMLNodeComboBox, node: Any) -> None:
    wasBlocked = box.blockSignals(True)
    box.setCurrentNode(node)
    box.blockSignals(wasBlocked)
