"""Side-by-side display of two volumes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from GenSegSlicerLib.SliceViews import alignWithVoxels, showSideBySide
from mrml_nodes import GRIDS, add_label_map, add_volume, grid_matrix


def add_pair(size: int, start: int, millimeters: float) -> tuple[Any, Any]:
    """A cube of `size` voxels with a label of 4 x 4 x 4 voxels from `start` on."""
    grid = grid_matrix((millimeters,) * 3)
    voxels = np.zeros((size,) * 3, np.int16)
    voxels[start : start + 4, start : start + 4, start : start + 4] = 2
    pair = add_volume(voxels, grid), add_label_map(voxels, grid)
    for node in pair:
        node.CreateDefaultDisplayNodes()
    return pair


def slice_nodes() -> list[Any]:
    return [slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceNode{name}") for name in ("Red", "Yellow")]


def shown_place(slice_node: Any) -> list[float]:
    """Center of a slice view in RAS mm."""
    return [slice_node.GetSliceToRAS().GetElement(axis, 3) for axis in range(3)]


def place_of(node: Any, voxel: int) -> list[float]:
    """Position of the voxel (voxel, voxel, voxel) in RAS mm."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return list(matrix.MultiplyPoint((voxel, voxel, voxel, 1))[:3])


def test_views_show_the_slices_of_an_oblique_volume(scene: Any) -> None:
    volume = add_volume(np.zeros((6, 7, 8), np.int16), GRIDS["oblique"])
    axes = GRIDS["oblique"][:3, :3] / np.linalg.norm(GRIDS["oblique"][:3, :3], axis=0)
    alignWithVoxels(volume)
    shown = set()
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        normal = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, 2]
        cosines = np.abs(normal @ axes)
        assert cosines.max() == pytest.approx(1, abs=1e-3)
        shown.add(int(cosines.argmax()))
    assert shown == {0, 1, 2}


def test_views_have_the_same_scale_and_are_centered_on_labels(scene: Any) -> None:
    whole, part = add_pair(40, 30, 1.0), add_pair(12, 2, 0.5)
    showSideBySide(whole, part)
    left, right = slice_nodes()
    sizes = [node.GetFieldOfView()[0] / node.GetDimensions()[0] for node in (left, right)]
    assert sizes[0] == pytest.approx(sizes[1])
    assert shown_place(left) == pytest.approx(place_of(whole[0], 31))
    assert shown_place(right) == pytest.approx(place_of(part[0], 3))


def test_same_geometry_shows_the_same_position(scene: Any) -> None:
    reference, prediction = add_pair(20, 4, 1.0), add_pair(20, 12, 1.0)
    showSideBySide(reference, prediction)
    left, right = slice_nodes()
    assert shown_place(right) == pytest.approx(shown_place(left))
    assert shown_place(left) == pytest.approx(place_of(reference[0], 5))


def test_view_without_labels_is_centered_on_the_volume(scene: Any) -> None:
    case, empty = add_pair(20, 4, 1.0), add_pair(21, 4, 1.0)
    slicer.util.updateVolumeFromArray(empty[1], np.zeros((21,) * 3, np.int16))
    showSideBySide(case, empty)
    assert shown_place(slice_nodes()[1]) == pytest.approx(place_of(empty[0], 10))
