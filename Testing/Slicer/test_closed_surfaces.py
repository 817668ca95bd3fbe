"""Segmentations that are closed surfaces are filled with voxels, in a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib.SegmentationFiles import writeLabel
from mrml_nodes import (
    BINARY,
    GRIDS,
    MIRRORING,
    RIGID,
    SURFACE,
    add_ball,
    add_segmentation,
    add_transform,
    add_volume,
    grid_matrix,
    modification_state,
    nodes_in,
    oriented_image,
    two_class_labels,
)

from GenSegLib.data.image_io import read_label
from GenSegLib.errors import GenSegError

SHAPE = (30, 40, 36)
MIDDLE = (18, 20, 15, 1)


def distances(grid: np.ndarray, center: np.ndarray) -> np.ndarray:
    """How far each voxel center (k, j, i) is from a point in mm."""
    k, j, i = np.indices(SHAPE).reshape(3, -1)
    points = (grid @ np.stack([i, j, k, np.ones_like(i)]))[:3]
    return np.linalg.norm(points - center[:3, None], axis=0).reshape(SHAPE)


@pytest.mark.parametrize("parents", ["none", "same", "different", "shear"])
@pytest.mark.parametrize("grid", GRIDS)
def test_voxels_are_those_whose_center_is_inside(
    scene: Any, tmp_path: Path, grid: str, parents: str
) -> None:
    """The sphere's facets leave 0.01 mm of doubt."""
    of_volume, of_ball = {
        "none": (np.eye(4), np.eye(4)),
        "same": (RIGID, RIGID),
        "different": (RIGID, MIRRORING),
        "shear": (np.eye(4), grid_matrix((1, 1, 1), skew=0.4)),
    }[parents]
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS[grid])
    in_world = of_volume @ GRIDS[grid]
    center = in_world @ MIDDLE
    ball = add_ball((0, 0, 0), 6.0)
    to_center = np.linalg.inv(of_ball)
    to_center = to_center @ np.block([[np.eye(3), center[:3, None]], [np.zeros((1, 3)), 1]])
    add_transform(of_volume, volume)
    add_transform(of_ball @ to_center, ball)

    writeLabel(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")

    filled = read_label(tmp_path / "label.nrrd").array[0].T == 1
    distance = distances(in_world, center)
    np.testing.assert_array_equal(filled[distance < 5.99], True)
    np.testing.assert_array_equal(filled[distance > 6.0], False)


def test_surface_that_sticks_out_is_cut(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["oblique"])
    center = GRIDS["oblique"] @ (0, 0, 0, 1)
    ball = add_ball(center[:3], 9.0)

    writeLabel(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")

    filled = read_label(tmp_path / "label.nrrd").array[0].T == 1
    distance = distances(GRIDS["oblique"], center)
    np.testing.assert_array_equal(filled[distance < 8.98], True)
    np.testing.assert_array_equal(filled[distance > 9.0], False)


def test_surface_elsewhere_is_said(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    ball = add_ball((900, 900, 900), 9.0)

    with pytest.raises(GenSegError, match="no voxel of its segments lies in volume"):
        writeLabel(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")


def test_surfaces_decide_where_voxels_are_only_derived(scene: Any, tmp_path: Path) -> None:
    """Voxels that Slicer once derived may be coarser than the volume."""
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    center = GRIDS["RAS"] @ MIDDLE
    ball = add_ball(center[:3], 6.0)
    coarse = add_volume(np.zeros((4, 4, 4), np.int16), GRIDS["RAS"] @ np.diag([9, 9, 9, 1]))
    ball.SetReferenceImageGeometryParameterFromVolumeNode(coarse)
    ball.CreateBinaryLabelmapRepresentation()

    writeLabel(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")

    filled = read_label(tmp_path / "label.nrrd").array[0].T == 1
    np.testing.assert_array_equal(filled[distances(GRIDS["RAS"], center) < 5.99], True)


def test_the_later_of_overlapping_surfaces_wins(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    center = (GRIDS["RAS"] @ MIDDLE)[:3]
    large, small = add_ball(center, 8.0, "Liver"), add_ball(center, 4.0, "Tumor")
    ids = small.GetSegmentation().GetNthSegmentID(0)
    large.GetSegmentation().CopySegmentFromSegmentation(small.GetSegmentation(), ids)

    mapped = {"Liver": "Liver", "Tumor": "Tumor"}
    writeLabel(large, volume, mapped, {1: "Liver", 2: "Tumor"}, tmp_path / "label.nrrd")

    painted = read_label(tmp_path / "label.nrrd").array[0].T
    assert painted[MIDDLE[2::-1]] == 2
    assert painted[MIDDLE[2], MIDDLE[1], MIDDLE[0] + 6] == 1


def test_surface_made_of_voxels_comes_back_to_nearly_the_same_voxels(
    scene: Any, tmp_path: Path
) -> None:
    label = two_class_labels(SHAPE)
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["oblique"])
    node = add_segmentation([(oriented_image(label, GRIDS["oblique"]), {1: "A", 2: "B"})])
    node.GetSegmentation().SetConversionParameter("Smoothing factor", "0")
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.RemoveBinaryLabelmapRepresentation()

    writeLabel(node, volume, {"A": "A", "B": "B"}, {1: "A", 2: "B"}, tmp_path / "label.nrrd")

    again = read_label(tmp_path / "label.nrrd").array[0].T
    for value in (1, 2):
        overlap = 2 * ((again == value) & (label == value)).sum()
        assert overlap / ((again == value).sum() + (label == value).sum()) > 0.97


def test_neither_the_node_nor_the_scene_is_changed(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    ball = add_ball((GRIDS["RAS"] @ MIDDLE)[:3], 6.0)
    add_transform(RIGID, volume, ball)
    before, nodes = modification_state(volume, ball), nodes_in(scene)

    writeLabel(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")

    segment = ball.GetSegmentation().GetNthSegment(0)
    assert modification_state(volume, ball) == before
    assert nodes_in(scene) == nodes
    assert segment.GetRepresentation(BINARY) is None
    assert segment.GetRepresentation(SURFACE) is not None


def test_empty_surface_is_no_voxel(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    ball = add_ball((GRIDS["RAS"] @ MIDDLE)[:3], 6.0)
    empty = slicer.vtkSegment()
    empty.SetName("Empty")
    ball.GetSegmentation().AddSegment(empty)

    mapped = {"Ball": "Ball", "Empty": "Empty"}
    writeLabel(ball, volume, mapped, {1: "Ball", 2: "Empty"}, tmp_path / "label.nrrd")

    assert read_label(tmp_path / "label.nrrd").array.max() == 1
