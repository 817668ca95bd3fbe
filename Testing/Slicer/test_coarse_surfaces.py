"""Surfaces of large segmentations are made from fewer, larger voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
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


def test_each_surface_is_made_in_a_step_of_its_own_as_slicer_makes_it(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CoarseSurfaces, "_LARGE_VOXELS", 20_000)
    assert len(list(CoarseSurfaces.surfaceSteps(node))) == 2
    points = [surface.GetNumberOfPoints() for surface in surfaces_of(node)]
    node.GetSegmentation().RemoveRepresentation(SURFACE)
    node.CreateClosedSurfaceRepresentation()
    assert points == [surface.GetNumberOfPoints() for surface in surfaces_of(node)]
