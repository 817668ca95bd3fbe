"""Slice views of the host show and fit volumes as Slicer's do, without rendering."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer


def test_slice_views_are_fitted_to_the_background_volume(scene: Any) -> None:
    volume = slicer.util.addVolumeFromArray(np.zeros((20, 30, 40), np.int16), name="volume")
    volume.SetSpacing(1, 2, 3)
    manager = slicer.app.layoutManager()
    assert set(manager.sliceViewNames()) >= {"Red", "Green", "Yellow"}
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    node = manager.sliceWidget("Red").mrmlSliceNode()
    composite = scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert composite.GetBackgroundVolumeID() == volume.GetID()
    assert max(node.GetFieldOfView()[:2]) == pytest.approx(60, rel=0.01)
    scene.Clear(0)
    assert not composite.GetBackgroundVolumeID()
