"""Slicer's Segment Editor, embedded in the panel."""

from __future__ import annotations

from typing import Any

import qt
import slicer

from GenSegSlicerLib.SliceViews import alignWithVoxels, showPair

_TAG = "GenSegSegmentEditor"


class SegmentEditorView:
    """Shows a segmentation in a `qMRMLSegmentEditorWidget`, created when it is first needed.

    Args:
        frame: widget with a layout that the editor is added to.
    """

    def __init__(self, frame: qt.QFrame) -> None:
        self._frame = frame
        self._editor: Any = None
        frame.setVisible(False)

    @property
    def editor(self) -> Any:
        """The editor widget, None until it was needed."""
        return self._editor

    def show(self, volumeNode: Any, segmentationNode: Any) -> None:
        """Edit a segmentation on its volume, and show both in slice views along the voxels."""
        if self._editor is None:
            self._editor = self._newEditor()
        self._editor.setMRMLSegmentEditorNode(_parameterNode())
        self._editor.setSegmentationNode(segmentationNode)
        self._editor.setSourceVolumeNode(volumeNode)
        self._frame.setVisible(True)
        self._editor.setupViewObservations()
        self._editor.installKeyboardShortcuts()
        alignWithVoxels(volumeNode)
        showPair(volumeNode, segmentationNode)

    def hide(self) -> None:
        """Stop editing, so that the views and the keyboard are free for other modules."""
        self._frame.setVisible(False)
        if self._editor is not None:
            self._editor.setActiveEffect(None)
            self._editor.uninstallKeyboardShortcuts()
            self._editor.removeViewObservations()
            if self._editor.mrmlSegmentEditorNode() is not None:
                self._editor.setSegmentationNode(None)

    def cleanup(self) -> None:
        """Release the nodes before the widget is deleted."""
        self.hide()
        if self._editor is not None:
            self._editor.setMRMLSegmentEditorNode(None)

    def _newEditor(self) -> Any:
        editor = slicer.qMRMLSegmentEditorWidget()
        editor.setMRMLSegmentEditorNode(_parameterNode())
        editor.setMRMLScene(slicer.mrmlScene)
        editor.setSegmentationNodeSelectorVisible(False)
        editor.setSourceVolumeNodeSelectorVisible(False)
        editor.setSwitchToSegmentationsButtonVisible(False)
        self._frame.layout().addWidget(editor)
        return editor


def _parameterNode() -> Any:
    """The panel's own segment editor node, again after the scene was closed."""
    node = slicer.mrmlScene.GetSingletonNode(_TAG, "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.vtkMRMLSegmentEditorNode()
        node.SetSingletonTag(_TAG)
        node = slicer.mrmlScene.AddNode(node)
    return node
