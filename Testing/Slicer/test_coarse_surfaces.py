"""Surfaces of large segmentations are made from fewer, larger voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import vtk
from GenSegSlicerLib import CoarseSurfaces
from mrml_nodes import SURFACE, add_segmentation, grid_matrix, oriented_image

from GenSegLib.steps import finish

SHAPE = (20, 48, 48)
GRID = grid_matrix((1.0, 1.0, 2.5), angle=0.6)


@pytest.fixture
def node(scene: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two boxes in one labelmap, the second in front of the first."""
    monkeypatch.setattr(CoarseSurfaces, "_COARSE_VOXELS", 800)
    monkeypatch.setattr(CoarseSurfaces, "_LARGE_VOXELS", 10_000)
    label = np.zeros(SHAPE, np.uint8)
    label[4:16, 10:40, 10:25] = 1  # three voxels along i and j are merged
    label[4:16, 10:40, 25:40] = 2
    return add_segmentation([(oriented_image(label, GRID), {1: "Left", 2: "Right"})])


def volume_of(surface: Any) -> float:
    triangles, mass = vtk.vtkTriangleFilter(), vtk.vtkMassProperties()
    triangles.SetInputData(surface)
    mass.SetInputConnection(triangles.GetOutputPort())
    return float(mass.GetVolume())


def surfaces_of(node: Any) -> list[Any]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(k).GetRepresentation(SURFACE) for k in range(2)]


def test_coarse_surfaces_have_the_place_and_size_of_the_segments(node: Any) -> None:
    finish(CoarseSurfaces.surfaceSteps(node))
    coarse = surfaces_of(node)
    bounds, centers = [each.GetBounds() for each in coarse], [each.GetCenter() for each in coarse]
    counts = [surface.GetNumberOfPoints() for surface in coarse]
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    node.CreateClosedSurfaceRepresentation()
    for own, center, count, exact in zip(bounds, centers, counts, surfaces_of(node)):
        np.testing.assert_allclose(own, exact.GetBounds(), atol=2.5)  # less than a coarse voxel
        assert np.linalg.norm(np.subtract(center, exact.GetCenter())) < 2  # half a coarse voxel
        assert 0 < 4 * count < exact.GetNumberOfPoints()


def test_the_voxels_remain_as_they_are(node: Any) -> None:
    segment = node.GetSegmentation().GetNthSegment(0)
    image = segment.GetRepresentation("Binary labelmap")
    before = image.GetMTime()
    finish(CoarseSurfaces.surfaceSteps(node))
    assert segment.GetRepresentation("Binary labelmap") is image
    assert image.GetMTime() == before
    assert node.GetSegmentation().GetSourceRepresentationName() == "Binary labelmap"


def test_segmentations_of_many_voxels_are_large(node: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert CoarseSurfaces.isLarge(node)
    monkeypatch.setattr(CoarseSurfaces, "_LARGE_VOXELS", 20_000)
    assert not CoarseSurfaces.isLarge(node)


def test_the_surface_of_each_segment_is_made_in_turns_of_its_own(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CoarseSurfaces, "_LARGE_VOXELS", 20_000)
    steps = list(CoarseSurfaces.surfaceSteps(node))
    assert len(steps) == 2 * (2 * SHAPE[0] + 2)  # its slices twice, its surface, its normals


def test_surfaces_lie_where_slicers_are_and_have_the_same_detail(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CoarseSurfaces, "_LARGE_VOXELS", 20_000)
    finish(CoarseSurfaces.surfaceSteps(node))
    found = surfaces_of(node)
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    node.CreateClosedSurfaceRepresentation()
    for surface, slicers in zip(found, surfaces_of(node)):
        assert surface.GetPointData().GetNormals() is not None  # displayed as smoothly
        assert surface.GetNumberOfPoints() > 0.95 * slicers.GetNumberOfPoints()
        np.testing.assert_allclose(surface.GetBounds(), slicers.GetBounds(), atol=1.0)
        # triangles that were turned around would count as another volume
        assert volume_of(surface) == pytest.approx(volume_of(slicers), rel=0.05)


def test_many_small_parts_remain(scene: Any) -> None:
    parts = np.zeros((16, 16, 16), np.uint8)
    parts[1::4, 1::4, 1::4] = 1
    node = add_segmentation([(oriented_image(parts, GRID), {1: "Spots"})])
    finish(CoarseSurfaces.surfaceSteps(node))
    surface = node.GetSegmentation().GetNthSegment(0).GetRepresentation(SURFACE)
    regions = vtk.vtkPolyDataConnectivityFilter()
    regions.SetInputData(surface)
    regions.SetExtractionModeToAllRegions()
    regions.Update()
    assert regions.GetNumberOfExtractedRegions() == parts.sum()
