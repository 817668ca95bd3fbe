"""Stepping through generated pairs and predictions in the views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from GenSegSlicerLib.ReviewFeedback import ReviewItem
from GenSegSlicerLib.ReviewViews import ReviewViews
from mrml_nodes import GRIDS, add_label_map, add_volume, nodes_in
from small_trainings import small_run, unpreempted_time_s
from vtkmodules.util.misc import calldata_type

SHAPE = (48, 64, 64)


@pytest.fixture
def run(scene: Any, tmp_path: Path) -> Path:
    """A run folder with images and labels of two sizes."""
    path = small_run(tmp_path).path
    for name, shape in (("real", SHAPE), ("generated", (32, 32, 32))):
        voxels = np.random.default_rng(0).integers(0, 1000, shape).astype(np.int16)
        image, label = add_volume(voxels, GRIDS["LPS"]), add_label_map(voxels % 3, GRIDS["LPS"])
        for node, part in ((image, "image"), (label, "label")):
            assert slicer.util.saveNode(node, str(path / f"{name}_{part}.nii.gz"))
            scene.RemoveNode(node)
    return path


def item_of(run: Path, name: str, other: str) -> ReviewItem:
    files = [run / f"{each}_{part}.nii.gz" for each in (name, other) for part in ("image", "label")]
    return ReviewItem("generated", 4, f"{name} beside {other}", *files)


@pytest.fixture
def empty_volumes(scene: Any) -> Iterator[list[str]]:
    """Names of volumes that were without voxels at some event: Slicer's views log errors then."""
    found: list[str] = []
    observed: list[tuple[Any, int]] = []

    def check(volume: Any, event: str) -> None:
        if volume.GetImageData() is None:
            found.append(f"{volume.GetName()} at {event}")

    @calldata_type(vtk.VTK_OBJECT)
    def watch(scene: Any, event: str, node: Any) -> None:
        if node.IsA("vtkMRMLVolumeNode"):
            check(node, event)
            for name in ("ModifiedEvent", node.ImageDataModifiedEvent):
                observed.append((node, node.AddObserver(name, check)))

    tag = scene.AddObserver(scene.NodeAddedEvent, watch)
    yield found
    scene.RemoveObserver(tag)
    for node, each in observed:
        node.RemoveObserver(each)


def test_stepping_is_fast_and_shows_no_volume_without_voxels(
    run: Path, empty_volumes: list[str]
) -> None:
    views = ReviewViews()
    items = [item_of(run, "generated", "real"), item_of(run, "real", "generated")]
    views.show(run, items[0], False)
    durations = []
    for item in items * 3:
        start = unpreempted_time_s()
        views.show(run, item, False)
        durations.append(unpreempted_time_s() - start)
    assert empty_volumes == []
    views.close()
    assert sorted(durations)[len(durations) // 2] < 0.15


def test_nodes_are_reused_and_removed(run: Path, scene: Any) -> None:
    before, views = nodes_in(scene), ReviewViews()
    views.show(run, item_of(run, "generated", "real"), False)
    shown = nodes_in(scene)
    views.show(run, item_of(run, "real", "generated"), False)
    assert nodes_in(scene) == shown
    right = scene.GetNodeByID("vtkMRMLSliceCompositeNodeYellow").GetBackgroundVolumeID()
    assert scene.GetNodeByID(right).GetImageData().GetDimensions() == SHAPE[::-1]
    views.close()
    assert nodes_in(scene) == before
