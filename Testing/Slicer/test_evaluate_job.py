"""Evaluation of a segmentation against a reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib.EvaluateJob import commonReferenceVolume
from GenSegSlicerLib.LabelImages import rasterizeSegments
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.PartialAnnotation import setClassState
from GenSegSlicerLib.Segments import segmentsOf
from mrml_nodes import GRIDS, RIGID, SHAPE, add_label_map, add_transform, add_volume, oriented_image
from small_trainings import JobRecorder

from GenSegLib.case_annotation import ClassState
from GenSegLib.errors import GenSegError


def block(start: int) -> np.ndarray:
    """Voxels with a block of 4 x 4 x 4 voxels from `start` along i."""
    voxels = np.zeros(SHAPE[::-1], np.uint8)
    voxels[3:7, 4:8, start : start + 4] = 1
    return voxels


def add_blocks(name: str, starts: dict[str, int], volume: Any = None) -> Any:
    """A segmentation of blocks, with or without a reference volume."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    for segment, start in starts.items():
        image = oriented_image(block(start), GRIDS["oblique"])
        node.AddSegmentFromBinaryLabelmapRepresentation(image, segment)
    if volume is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return node


def test_segments_are_matched_by_name_and_scored(host: Any, scene: Any) -> None:
    volume = add_volume(block(2).astype(np.int16), GRIDS["oblique"])
    reference = add_blocks("truth", {"Tumor": 3, "Cyst": 9}, volume)
    prediction = add_blocks("guess", {"tumor": 5, "Extra": 1}, volume)
    job = GenSegSlicerLogic().evaluate(prediction, reference)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "finished", job.message
    tumor, cyst = job.rows
    assert (tumor["segment"], tumor["dice"]) == ("Tumor", pytest.approx(0.5))
    assert tumor["volume_error_ml"] == pytest.approx(0)
    assert tumor["hd95_mm"] == pytest.approx(2 * 0.7, rel=0.01)
    assert (cyst["segment"], cyst["dice"]) == ("Cyst", 0)
    assert "guess" in job.tableNode.GetName()


def test_what_nobody_annotated_in_the_reference_does_not_count(host: Any, scene: Any) -> None:
    volume = add_volume(block(2).astype(np.int16), GRIDS["oblique"])
    reference = add_blocks("truth", {"Tumor": 3, "Cyst": 9, "Ignore": 7}, volume)
    prediction = add_blocks("guess", {"Tumor": 5, "Cyst": 9}, volume)
    setClassState(reference, "Cyst", ClassState.NOT_ANNOTATED)
    job = GenSegSlicerLogic().evaluate(prediction, reference)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "finished", job.message
    tumor, cyst = job.rows
    assert (tumor["segment"], tumor["dice"]) == ("Tumor", pytest.approx(2 * 2 / (4 + 2)))
    assert (cyst["segment"], cyst["dice"]) == ("Cyst", None)


def test_nested_segments_are_compared_as_regions_in_whichever_order(host: Any, scene: Any) -> None:
    liver = block(3)
    tumor = liver.copy()
    tumor[4:] = 0
    voxels = {"Tumor": tumor, "Liver": liver}
    volume = add_volume(liver.astype(np.int16), GRIDS["oblique"])
    reference, prediction = (add_blocks(name, {}, volume) for name in ("truth", "guess"))
    for node, names in ((reference, list(voxels)), (prediction, reversed(voxels))):
        for name in names:
            image = oriented_image(voxels[name], GRIDS["oblique"])
            node.AddSegmentFromBinaryLabelmapRepresentation(image, name)
    job = GenSegSlicerLogic().evaluate(prediction, reference)
    JobRecorder(host, job).wait_until_ended()
    assert job.state == "finished", job.message
    assert [(row["segment"], row["dice"]) for row in job.rows] == [("Tumor", 1), ("Liver", 1)]


def test_without_reference_volume_the_reference_labelmap_is_used(scene: Any) -> None:
    reference = add_blocks("truth", {"Tumor": 3})
    prediction = add_blocks("guess", {"Tumor": 8})
    for node in (reference, prediction):
        node.SetAndObserveTransformNodeID(add_transform(RIGID).GetID())
    grid = commonReferenceVolume(reference, prediction)
    assert grid.GetScene() is None
    for node in (reference, prediction):
        voxels = rasterizeSegments(node, grid, [(segmentsOf(node)[0], 1)])
        assert voxels.sum() == 64


def test_label_map_volume_is_its_own_reference_volume(scene: Any) -> None:
    reference = add_label_map(block(3), GRIDS["RAS"], "truth")
    assert commonReferenceVolume(reference, add_blocks("guess", {"Label 1": 3})) is reference


def test_invalid_arguments_are_rejected(scene: Any) -> None:
    reference = add_blocks("truth", {"Tumor": 3})
    logic = GenSegSlicerLogic()
    with pytest.raises(GenSegError, match=r"in common; rename the segments .* \(Tumor\)"):
        logic.evaluate(add_blocks("guess", {"Liver": 3}), reference)
    for other in (reference, None):
        with pytest.raises(GenSegError, match="different one as its reference"):
            logic.evaluate(other, reference)
