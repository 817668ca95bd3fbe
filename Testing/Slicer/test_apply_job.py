"""A model segments volumes of the scene, however they lie and whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from bright_model import bright_block, make_bright_model
from fake_library import fake_library
from GenSegSlicerLib import LibraryProcess
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from mrml_nodes import GRIDS, RIGID, SHAPE, add_transform, add_volume
from small_trainings import JobRecorder

from GenSegLib.errors import GenSegError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that labels what is bright."""
    return make_bright_model(tmp_path_factory.mktemp("models") / "hëll und dunkel")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A function that puts a script in the place of GenSegLib."""
    return fake_library(LibraryProcess, tmp_path, monkeypatch)


def temporary_folders() -> list[Path]:
    return list(Path(slicer.app.temporaryPath).glob("GenSeg-*"))


def test_several_volumes_on_any_grid_are_segmented_to_the_voxel(
    host: Any, scene: Any, model: Path
) -> None:
    blocks = [bright_block(name, grid) for name, grid in GRIDS.items()]
    moved = blocks[0][0]
    moved.SetAndObserveTransformNodeID(add_transform(RIGID).GetID())
    volumes = [volume for volume, _ in blocks]
    job = GenSegSlicerLogic().apply(model, volumes, uncertainty=True)
    watch = JobRecorder(host, job)
    watch.wait_until_ended()
    assert job.state == "finished", job.message
    for (volume, bright), segmentation in zip(blocks, job.segmentationNodes):
        (segment,) = segmentation.GetSegmentation().GetSegmentIDs()
        found = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume)
        assert np.array_equal(found > 0, bright), volume.GetName()
        assert segmentation.GetParentTransformNode() is volume.GetParentTransformNode()
        assert segmentation.GetSegmentation().GetSegment(segment).GetName() == "Bright"
    for volume, uncertainty in zip(volumes, job.uncertaintyNodes):
        values = slicer.util.arrayFromVolume(uncertainty)
        assert values.size == np.prod(SHAPE)
        assert 0 <= values.min() <= values.max() <= 1
        assert uncertainty.GetName() == f"{volume.GetName()} uncertainty"
        assert uncertainty.GetStorageNode() is None
        assert uncertainty.GetParentTransformNode() is volume.GetParentTransformNode()
    assert temporary_folders() == []
    assert GenSegSlicerLogic().models()[0] == model


def test_a_result_to_be_looked_at_with_care_is_told_by_the_volumes_name(
    host: Any, scene: Any, model: Path
) -> None:
    bright, _ = bright_block("bright", GRIDS["RAS"])
    dark = add_volume(np.full(SHAPE[::-1], 10, np.int16), GRIDS["RAS"], "dark")
    job = GenSegSlicerLogic().apply(model, [bright, dark], wait=True)
    assert job.state == "finished", job.message
    assert "dark: the segmentation is empty: the model found no Bright" in job.warnings
    assert all(warning.startswith("dark: ") for warning in job.warnings)


def test_cancelled_nothing_is_changed_and_nothing_left(host: Any, scene: Any, model: Path) -> None:
    volume, _ = bright_block("volume", GRIDS["RAS"])
    before = scene.GetNumberOfNodes()
    job = GenSegSlicerLogic().apply(model, volume)
    watch = JobRecorder(host, job)
    watch.until(lambda: job.state == "running")
    job.cancel()
    assert job.state == "cancelled"
    host.wait_until(lambda: not temporary_folders(), 10)
    assert scene.GetNumberOfNodes() == before
    assert watch.states == ["preparing", "running", "cancelled"]


def test_a_volume_that_left_the_scene_is_not_segmented(
    host: Any, scene: Any, model: Path, library: Callable[[str], None]
) -> None:
    library("import time; time.sleep(0.3)")
    volume, _ = bright_block("volume", GRIDS["RAS"])
    job = GenSegSlicerLogic().apply(model, volume)
    watch = JobRecorder(host, job)
    watch.until(lambda: job.state == "running")
    slicer.mrmlScene.Clear(0)
    watch.wait_until_ended()
    assert job.state == "failed"
    assert "no longer in the scene" in job.message
    assert temporary_folders() == []


def test_a_fault_of_the_process_is_its_one_line_with_details_on_demand(
    host: Any, scene: Any, model: Path, library: Callable[[str], None]
) -> None:
    library("import sys; sys.exit('Traceback...\\ngenseg: error: the card is too small; use cpu')")
    volume, _ = bright_block("volume", GRIDS["RAS"])
    job = GenSegSlicerLogic().apply(model, volume, wait=True)
    assert (job.state, job.message) == ("failed", "the card is too small; use cpu")
    assert job.details.startswith("Traceback...")


def test_what_cannot_be_applied_is_refused_at_once(
    host: Any, scene: Any, model: Path, tmp_path: Path
) -> None:
    logic = GenSegSlicerLogic()
    volume, _ = bright_block("volume", GRIDS["RAS"])
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "output")
    with pytest.raises(GenSegError):
        logic.apply(tmp_path, volume)
    with pytest.raises(GenSegError, match="empty has no voxels"):
        logic.apply(model, empty)
    with pytest.raises(GenSegError, match="Choose a volume"):
        logic.apply(model, [])
    with pytest.raises(GenSegError, match="several volumes"):
        logic.apply(model, [volume, volume], output)
    assert temporary_folders() == []
