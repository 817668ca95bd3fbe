"""Strokes in the Segment Editor, through Slicer's own logic."""

from __future__ import annotations

from typing import Any

import numpy as np
from vtk.util.numpy_support import vtk_to_numpy


def begin_stroke(editor: Any) -> tuple[Any, Any, np.ndarray]:
    """Save the state for undo; return the logic, its modifier label map and the map's voxels.

    Args:
        editor: the widget, with a segmentation and a volume.
    """
    import slicer

    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    logic.SetMRMLScene(slicer.mrmlScene)
    logic.SetSegmentEditorNode(editor.mrmlSegmentEditorNode())
    logic.UpdateReferenceGeometryImage()
    logic.ResetModifierLabelmapToDefault()
    editor.saveStateForUndo()
    stroke = logic.GetModifierLabelmap()
    return logic, stroke, vtk_to_numpy(stroke.GetPointData().GetScalars())
