"""Slicer reads `.seg.nrrd` files of the library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer

from GenSegLib.datasets.image_io import Volume, write_label
from GenSegLib.presets import load_preset


@pytest.fixture
def segmentation(scene: Any, tmp_path: Path) -> Any:
    """A hippocampus segmentation, written by the library and read by Slicer."""
    preset = load_preset("hippocampus-mri")
    label = np.zeros((1, 9, 8, 7), np.int16)
    label[0, 1:4, 2:6, 2:5], label[0, 5:8, 2:6, 2:5] = 1, 2
    path = tmp_path / "größe.seg.nrrd"
    write_label(path, Volume(label, np.eye(4)), preset.labels, preset.colors, preset.terminology)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    return node.GetSegmentation()


def test_names_colors_and_terminology_are_read(segmentation: Any) -> None:
    preset = load_preset("hippocampus-mri")
    assert segmentation.GetNumberOfSegments() == 2
    for index, value in enumerate(sorted(preset.labels)):
        segment = segmentation.GetNthSegment(index)
        assert segment.GetName() == preset.labels[value]
        assert segment.GetTerminology() == preset.terminology[value]
        np.testing.assert_allclose(np.array(segment.GetColor()) * 255, preset.colors[value], atol=1)
