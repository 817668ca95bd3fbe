"""Segmentation of volumes with a model: geometry, warnings, cancellation and errors."""

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
    """A model that segments bright voxels."""
    return make_bright_model(tmp_path_factory.mktemp("models") / "hëll und dunkel")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Replaces GenSegLib by a script."""
    return fake_library(LibraryProcess, tmp_path, monkeypatch)


def temporary_folders() -> list[Path]:
    return list(Path(slicer.app.temporaryPath).glob("GenSeg-*"))


def test_results_are_aligned_with_volumes_of_any_geometry_and_warnings_name_the_volume(
    host: Any, scene: Any, model: Path
) -> None:
    blocks = [bright_block(name, grid) for name, grid in GRIDS.items()]
    moved = blocks[0][0]
    moved.SetAndObserveTransformNodeID(add_transform(RIGID).GetID())
    dark = add_volume(np.full(SHAPE[::-1], 10, np.int16), GRIDS["RAS"], "dark")
    volumes = [*(volume for volume, _ in blocks), dark]
    job = GenSegSlicerLogic().apply(model, volumes, uncertainty=True, wait=True)
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
    assert "dark: the segmentation is empty: the model found no Bright" in job.warnings
    assert all(warning.startswith("dark: ") for warning in job.warnings)
    assert temporary_folders() == []
    assert GenSegSlicerLogic().models()[0] == model


def test_cancel_leaves_scene_and_temporary_folder_unchanged(
    host: Any, scene: Any, model: Path
) -> None:
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


def test_volume_removed_from_the_scene_is_reported(
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
    assert "was removed from the scene" in job.message
    assert temporary_folders() == []


def test_process_error_is_one_line_with_details(
    host: Any, scene: Any, model: Path, library: Callable[[str], None]
) -> None:
    library("import sys; sys.exit('Traceback...\\ngenseg: error: the card is too small; use cpu')")
    volume, _ = bright_block("volume", GRIDS["RAS"])
    job = GenSegSlicerLogic().apply(model, volume, wait=True)
    assert (job.state, job.message) == ("failed", "the card is too small; use cpu")
    assert job.details.startswith("Traceback...")


def test_finished_results_are_kept_when_another_volume_fails(
    host: Any, scene: Any, model: Path
) -> None:
    volumes = [bright_block(name, GRIDS["RAS"])[0] for name in ("first", "second", "third")]
    logic = GenSegSlicerLogic()
    voxels = slicer.util.arrayFromVolume(volumes[1]).astype(np.float32)
    voxels[0, 0, 0] = np.nan
    slicer.util.updateVolumeFromArray(volumes[1], voxels)
    with pytest.raises(GenSegError, match="second contains NaN or infinite voxels"):
        logic.apply(model, volumes)
    voxels[0, 0, 0] = 0
    slicer.util.updateVolumeFromArray(volumes[1], voxels)
    job = logic.apply(model, volumes)
    watch = JobRecorder(host, job)
    watch.until(lambda: job.folder.joinpath("in", "volume_002.nrrd").is_file())
    job.folder.joinpath("in", "volume_001.nrrd").write_bytes(b"damaged")
    watch.wait_until_ended()
    assert (job.state, job.message) == ("failed", "second could not be segmented")
    assert job.segmentedNodes == [volumes[0], volumes[2]]
    assert [node.GetName() for node in job.segmentationNodes] == [
        "first by GenSeg",
        "third by GenSeg",
    ]
    assert any(warning.startswith("second: ") for warning in job.warnings), job.warnings
    assert temporary_folders() == []


def test_invalid_arguments_are_rejected(host: Any, scene: Any, model: Path, tmp_path: Path) -> None:
    logic = GenSegSlicerLogic()
    volume, _ = bright_block("volume", GRIDS["RAS"])
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    output = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "output")
    with pytest.raises(GenSegError):
        logic.apply(tmp_path, volume)
    with pytest.raises(GenSegError, match="empty has no voxels"):
        logic.apply(model, empty)
    with pytest.raises(GenSegError, match="Select a volume"):
        logic.apply(model, [])
    with pytest.raises(GenSegError, match="Several volumes"):
        logic.apply(model, [volume, volume], output)
    with pytest.raises(GenSegError, match="output is not a volume"):
        logic.apply(model, output)
    with pytest.raises(GenSegError, match="None is not a volume"):
        logic.apply(model, None)
    with pytest.raises(GenSegError, match="volume is not a segmentation"):
        logic.apply(model, volume, volume)
    with pytest.raises(GenSegError, match="mode must be one of replace, add, not 'foo'"):
        logic.apply(model, volume, mode="foo")
    assert temporary_folders() == []
