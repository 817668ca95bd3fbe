"""The host's Segment Editor widget edits segments through Slicer's own logic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import slicer
from segment_strokes import begin_stroke


@pytest.fixture
def editor(scene: Any) -> Iterator[Any]:
    """The widget, editing a segmentation of a volume."""
    widget = slicer.qMRMLSegmentEditorWidget()
    widget.setMRMLSegmentEditorNode(scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    widget.setMRMLScene(scene)
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "volume")
    slicer.util.updateVolumeFromArray(volume, np.arange(720, dtype=np.float32).reshape(8, 9, 10))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segmentation")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.GetSegmentation().AddEmptySegment("first", "First")
    widget.setSegmentationNode(node)
    yield widget
    widget.deleteLater()


def test_a_segmentation_is_edited_on_its_reference_volume(editor: Any) -> None:
    assert editor.segmentationNode().GetName() == "segmentation"
    assert editor.sourceVolumeNode().GetName() == "volume"
    assert editor.currentSegmentID() == "first"
    red = slicer.mrmlScene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert red.GetBackgroundVolumeID() == editor.sourceVolumeNodeID()


def test_edits_can_be_undone(editor: Any) -> None:
    logic, stroke, voxels = begin_stroke(editor)
    voxels[:7] = 1
    node, volume = editor.segmentationNode(), editor.sourceVolumeNode()
    logic.ModifySegmentByLabelmap(node, "first", stroke, logic.ModificationModeAdd, False, False)
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(node, "first", volume)
    assert drawn.sum() == 7
    editor.undo()
    drawn = slicer.util.arrayFromSegmentBinaryLabelmap(node, "first", volume)
    assert drawn.sum() == 0


def test_another_segmentation_is_edited_after_a_removal(editor: Any) -> None:
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other")
    slicer.mrmlScene.RemoveNode(editor.segmentationNode())
    assert editor.segmentationNode() is other  # as in Slicer, whose selector selects the next row
