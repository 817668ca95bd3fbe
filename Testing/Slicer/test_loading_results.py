"""Import of predictions: names, colors, terminology, geometry and existing segments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from GenSegSlicerLib.SegmentationFiles import loadSegmentation
from GenSegSlicerLib.VolumeFiles import writeVolume
from mrml_nodes import (
    BINARY,
    GRIDS,
    MIRRORING,
    RIGID,
    add_ball,
    add_segmentation,
    add_transform,
    add_volume,
    add_warp,
    grid_matrix,
    metadata,
    modification_state,
    nodes_in,
    noise,
    oriented_image,
    segment_array,
    two_class_labels,
)
from result_files import NAMES, save_prediction
from vtk.util.numpy_support import vtk_to_numpy

from GenSegLib.datasets.image_io import Volume, write_label
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset


@pytest.fixture
def volume(scene: Any) -> Any:
    return add_volume(noise(), GRIDS["oblique"], "patient 1")


@pytest.fixture
def result(tmp_path: Path, volume: Any) -> Path:
    writeVolume(volume, tmp_path / "image.nrrd")
    return save_prediction(
        tmp_path / "result.seg.nrrd", tmp_path / "image.nrrd", two_class_labels()
    )


def test_segments_have_names_colors_and_terminology_of_the_model(volume: Any, result: Path) -> None:
    preset = load_preset("hippocampus-mri")
    node = loadSegmentation(result, metadata(preset), volume)
    assert node.GetSegmentation().GetNumberOfSegments() == 2
    for k, (value, name) in enumerate(NAMES.items()):
        segment = node.GetSegmentation().GetNthSegment(k)
        terminology = vtk.reference("")
        segment.GetTag(segment.GetTerminologyEntryTagName(), terminology)
        assert segment.GetName() == name
        assert segment.GetColor() == pytest.approx([c / 255 for c in preset.colors[value]])
        assert terminology == preset.terminology[value]


def test_node_is_in_the_study_of_its_volume(scene: Any, volume: Any, result: Path) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "P")
    study = hierarchy.CreateStudyItem(patient, "S")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study)
    node = loadSegmentation(result, metadata(), volume)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study
    assert node.GetName() == "patient 1 by GenSeg"
    assert node.GetNodeReference("referenceImageGeometryRef") is volume
    assert node.GetDisplayNode() is not None


def test_volume_is_not_modified(scene: Any, volume: Any, result: Path) -> None:
    before = modification_state(volume)
    node = loadSegmentation(result, metadata(), volume)
    loadSegmentation(result, metadata(), volume, outputNode=node, mode="add")
    assert modification_state(volume) == before


def test_absent_class_is_an_empty_segment(scene: Any, volume: Any, tmp_path: Path) -> None:
    writeVolume(volume, tmp_path / "image.nrrd")
    only = (two_class_labels() == 1).astype(np.uint8)
    path = save_prediction(tmp_path / "one.nii.gz", tmp_path / "image.nrrd", only)
    node = loadSegmentation(path, metadata(), volume)
    assert segment_array(node, "Anterior", volume).any()
    assert not segment_array(node, "Posterior", volume).any()


def test_replacing_removes_existing_segments(scene: Any, volume: Any, result: Path) -> None:
    old = add_segmentation([(oriented_image(two_class_labels(), GRIDS["RAS"]), {1: "Old"})], "mine")
    add_transform(RIGID, volume)
    nodes = nodes_in(scene)
    node = loadSegmentation(result, metadata(), volume, outputNode=old, mode="replace")
    assert node is old
    assert node.GetName() == "mine"
    names = [node.GetSegmentation().GetNthSegment(k).GetName() for k in range(2)]
    assert names == ["Anterior", "Posterior"]
    assert node.GetParentTransformNode() is volume.GetParentTransformNode()
    assert nodes_in(scene) == nodes


@pytest.mark.parametrize("parent", [None, MIRRORING, grid_matrix((1, 1, 1), skew=0.3)])
def test_adding_keeps_existing_segments(scene: Any, volume: Any, result: Path, parent: Any) -> None:
    node = add_segmentation(
        [(oriented_image(two_class_labels(), GRIDS["oblique"]), {1: "Anterior"})]
    )
    if parent is not None:
        add_transform(parent, node)
    before = segment_array(node, "Anterior", volume)
    loadSegmentation(result, metadata(), volume, outputNode=node, mode="add")
    segmentation = node.GetSegmentation()
    names = [segmentation.GetNthSegment(k).GetName() for k in range(3)]
    assert names == ["Anterior", "Anterior_1", "Posterior"]
    np.testing.assert_array_equal(segment_array(node, "Anterior", volume), before)
    np.testing.assert_array_equal(
        segment_array(node, "Anterior_1", volume), two_class_labels() == 1
    )
    assert (node.GetParentTransformNode() is None) == (parent is None)


def test_result_follows_a_volume_that_was_transformed_meanwhile(
    scene: Any, volume: Any, tmp_path: Path
) -> None:
    written = writeVolume(volume, tmp_path / "image.nrrd")
    path = save_prediction(tmp_path / "r.nrrd", tmp_path / "image.nrrd", two_class_labels())
    add_transform(RIGID, volume)
    node = loadSegmentation(path, metadata(), volume, writtenIJKToRAS=written)
    np.testing.assert_array_equal(segment_array(node, "Posterior", volume), two_class_labels() == 2)


def test_file_of_a_cropped_volume_is_aligned(scene: Any, volume: Any, tmp_path: Path) -> None:
    add_transform(RIGID, volume)
    grid = writeVolume(volume, tmp_path / "image.nrrd")
    start = np.eye(4)
    start[:3, 3] = 2, 3, 1
    part = two_class_labels()[1:, 3:, 2:]
    write_label(tmp_path / "part.nii.gz", Volume(part.T[None], grid @ start))
    node = loadSegmentation(tmp_path / "part.nii.gz", metadata(), volume)
    np.testing.assert_array_equal(segment_array(node, "Posterior", volume)[1:, 3:, 2:], part == 2)


def test_prediction_has_model_attribute(volume: Any, result: Path) -> None:
    assert loadSegmentation(result, metadata(), volume).GetAttribute("GenSeg.Model") == "hippo"


def test_corrupted_file_does_not_modify_the_scene(scene: Any, volume: Any, tmp_path: Path) -> None:
    node = add_segmentation([(oriented_image(two_class_labels(), GRIDS["RAS"]), {1: "Mine"})])
    (tmp_path / "result.nrrd").write_bytes(b"NRRD0004\nnothing")
    nodes, before = nodes_in(scene), modification_state(node)
    with pytest.raises(GenSegError, match=r"result\.nrrd"):
        loadSegmentation(tmp_path / "result.nrrd", metadata(), volume, outputNode=node)
    with pytest.raises(GenSegError, match=r"result\.nrrd"):
        loadSegmentation(tmp_path / "result.nrrd", metadata(), volume)
    assert nodes_in(scene) == nodes
    assert modification_state(node) == before


def test_image_instead_of_label_is_reported(scene: Any, volume: Any, tmp_path: Path) -> None:
    writeVolume(volume, tmp_path / "image.nrrd")
    with pytest.raises(GenSegError, match="not a label volume"):
        loadSegmentation(tmp_path / "image.nrrd", metadata(), volume)


def test_nonlinear_transform_between_nodes_is_reported(
    scene: Any, volume: Any, result: Path
) -> None:
    node = add_segmentation([(oriented_image(two_class_labels(), GRIDS["RAS"]), {1: "Mine"})])
    add_warp(node)
    before = modification_state(node)
    with pytest.raises(
        GenSegError, match="segments has a different nonlinear transform than patient 1"
    ):
        loadSegmentation(result, metadata(), volume, outputNode=node, mode="add")
    assert modification_state(node) == before


def test_segments_added_to_closed_surfaces_keep_their_voxels(
    scene: Any, volume: Any, result: Path
) -> None:
    alone = loadSegmentation(result, metadata(), volume)
    node = add_ball((0.0, 0.0, 0.0), 8.0)
    loadSegmentation(result, metadata(), volume, outputNode=node, mode="add")
    for name in NAMES.values():
        added, found = (segment_array(each, name, volume) for each in (node, alone))
        assert found.any()
        np.testing.assert_array_equal(added, found)
    ball = node.GetSegmentation().GetNthSegment(0).GetRepresentation(BINARY)
    values = vtk_to_numpy(ball.GetPointData().GetScalars())
    assert np.count_nonzero(values) * np.prod(ball.GetSpacing()) == pytest.approx(
        4 / 3 * np.pi * 8.0**3, rel=0.05
    )
