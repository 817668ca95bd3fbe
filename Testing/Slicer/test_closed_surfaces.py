"""Conversion of closed surfaces to label files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
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
    write_segments,
)

from GenSegLib.datasets.image_io import read_label
from GenSegLib.errors import GenSegError

SHAPE = (30, 40, 36)
MIDDLE = (18, 20, 15, 1)


def distances(grid: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Distance of each voxel center (k, j, i) from a point in mm."""
    k, j, i = np.indices(SHAPE).reshape(3, -1)
    points = (grid @ np.stack([i, j, k, np.ones_like(i)]))[:3]
    return np.linalg.norm(points - center[:3, None], axis=0).reshape(SHAPE)


@pytest.mark.parametrize("parents", ["none", "different", "shear"])
@pytest.mark.parametrize("grid", ["oblique", "anisotropic"])
def test_voxels_with_centers_inside_are_set(
    scene: Any, tmp_path: Path, grid: str, parents: str
) -> None:
    # the facets of the sphere are accurate to 0.01 mm
    of_volume, of_ball = {
        "none": (np.eye(4), np.eye(4)),
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
    write_segments(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")
    filled = read_label(tmp_path / "label.nrrd").array[0].T == 1
    distance = distances(in_world, center)
    np.testing.assert_array_equal(filled[distance < 5.99], True)
    np.testing.assert_array_equal(filled[distance > 6.0], False)


def test_surface_beyond_the_volume_is_cropped(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["oblique"])
    center = GRIDS["oblique"] @ (0, 0, 0, 1)
    ball = add_ball(center[:3], 9.0)
    write_segments(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")
    filled = read_label(tmp_path / "label.nrrd").array[0].T == 1
    distance = distances(GRIDS["oblique"], center)
    np.testing.assert_array_equal(filled[distance < 8.98], True)
    np.testing.assert_array_equal(filled[distance > 9.0], False)


def test_surface_outside_the_volume_is_reported(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    ball = add_ball((900, 900, 900), 9.0)
    with pytest.raises(GenSegError, match="does not overlap volume"):
        write_segments(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")


def test_source_representation_is_written(scene: Any, tmp_path: Path) -> None:
    # a derived binary labelmap may be coarser than the volume
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    center = GRIDS["RAS"] @ MIDDLE
    ball = add_ball(center[:3], 6.0)
    coarse = add_volume(np.zeros((4, 4, 4), np.int16), GRIDS["RAS"] @ np.diag([9, 9, 9, 1]))
    ball.SetReferenceImageGeometryParameterFromVolumeNode(coarse)
    ball.CreateBinaryLabelmapRepresentation()
    write_segments(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")
    filled = read_label(tmp_path / "label.nrrd").array[0].T == 1
    np.testing.assert_array_equal(filled[distances(GRIDS["RAS"], center) < 5.99], True)


def test_last_of_overlapping_surfaces_wins(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    center = (GRIDS["RAS"] @ MIDDLE)[:3]
    large, small = add_ball(center, 8.0, "Liver"), add_ball(center, 4.0, "Tumor")
    ids = small.GetSegmentation().GetNthSegmentID(0)
    large.GetSegmentation().CopySegmentFromSegmentation(small.GetSegmentation(), ids)
    mapped = {"Liver": "Liver", "Tumor": "Tumor"}
    write_segments(large, volume, mapped, {1: "Liver", 2: "Tumor"}, tmp_path / "label.nrrd")
    written = read_label(tmp_path / "label.nrrd").array[0].T
    assert written[MIDDLE[2::-1]] == 2
    assert written[MIDDLE[2], MIDDLE[1], MIDDLE[0] + 6] == 1


def test_surface_of_a_labelmap_is_converted_back(scene: Any, tmp_path: Path) -> None:
    label = two_class_labels(SHAPE)
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["oblique"])
    node = add_segmentation([(oriented_image(label, GRIDS["oblique"]), {1: "A", 2: "B"})])
    node.GetSegmentation().SetConversionParameter("Smoothing factor", "0")
    node.CreateClosedSurfaceRepresentation()
    node.SetSourceRepresentationToClosedSurface()
    node.RemoveBinaryLabelmapRepresentation()
    write_segments(node, volume, {"A": "A", "B": "B"}, {1: "A", 2: "B"}, tmp_path / "label.nrrd")
    again = read_label(tmp_path / "label.nrrd").array[0].T
    for value in (1, 2):
        overlap = 2 * ((again == value) & (label == value)).sum()
        assert overlap / ((again == value).sum() + (label == value).sum()) > 0.97


def test_writing_does_not_modify_node_or_scene(scene: Any, tmp_path: Path) -> None:
    volume = add_volume(np.zeros(SHAPE, np.int16), GRIDS["RAS"])
    ball = add_ball((GRIDS["RAS"] @ MIDDLE)[:3], 6.0)
    add_transform(RIGID, volume, ball)
    before, nodes = modification_state(volume, ball), nodes_in(scene)
    write_segments(ball, volume, {"Ball": "Ball"}, {1: "Ball"}, tmp_path / "label.nrrd")
    segment = ball.GetSegmentation().GetNthSegment(0)
    assert modification_state(volume, ball) == before
    assert nodes_in(scene) == nodes
    assert segment.GetRepresentation(BINARY) is None
    assert segment.GetRepresentation(SURFACE) is not None
