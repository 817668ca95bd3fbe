"""The module logic: training, inference and evaluation by script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from GenSegSlicerLib.CaseWriter import CaseWriter
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from panel_scenes import load_hippocampi, tiny_preset
from small_trainings import TINY, JobRecorder

from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.files import read_json
from GenSegLib.presets import load_preset
from GenSegLib.runs import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with spaces and non-ASCII characters in its name."""
    path = tmp_path / "Patienten 2026, Übung é 海馬"
    path.mkdir()
    return path


def test_training_inference_and_evaluation(
    host: Any, scene: Any, hippocampus: Path, folder: Path
) -> None:
    *_, (volume, truth) = load_hippocampi(hippocampus, 4)
    logic = GenSegSlicerLogic()
    pairs = [pair for pair in logic.findPairs() if pair.volumeNode is not volume]
    assert [pair.status for pair in logic.checkPairs(pairs, CLASSES)] == ["ok"] * 3
    job = logic.train(pairs, tiny_preset(folder), folder / "runs", settings=TINY)
    assert logic.trainingJob is job
    training = JobRecorder(host, job)
    training.wait_until_ended()
    assert job.state == "finished", job.message
    assert training.states == ["preparing", "running", "finished"]
    assert training.phases == ["warm-up", "joint", "final"]
    assert training.fractions == sorted(training.fractions)
    assert (training.fractions[0], job.fraction) == (0.0, 1.0)
    assert 0 <= job.lastDice <= 1
    assert_run_can_be_moved(job.runFolder)
    assert logic.runs() == [job.runFolder]
    assert RunFolder.open(job.runFolder).config.batch_size == 1, "of few cases"
    assert logic.models() == [job.runFolder / "model"]
    segmenting = logic.apply(job.runFolder, volume, uncertainty=True)
    applying = JobRecorder(host, segmenting)
    applying.wait_until_ended()
    assert segmenting.state == "finished", segmenting.message
    assert applying.fractions == sorted(applying.fractions)
    (segmentation,) = segmenting.segmentationNodes
    assert names_of(segmentation) == ["Anterior", "Posterior"]
    assert_same_place(segmentation, volume)
    (uncertainty,) = segmenting.uncertaintyNodes
    assert slicer.util.arrayFromVolume(uncertainty).shape == voxels(volume).shape
    comparing = logic.evaluate(segmentation, truth)
    evaluating = JobRecorder(host, comparing)
    evaluating.wait_until_ended()
    assert comparing.state == "finished", comparing.message
    assert [row["segment"] for row in comparing.rows] == ["Anterior", "Posterior"]
    dices = [row["dice"] for row in comparing.rows]
    assert dices == pytest.approx([dice(segmentation, truth, volume, k) for k in (0, 1)])
    assert comparing.tableNode.GetNumberOfRows() == 2
    assert not list(Path(slicer.app.temporaryPath).glob("GenSeg-*"))


CLASSES = {"Anterior": "Anterior", "Posterior": "Posterior"}


def assert_run_can_be_moved(run: Path) -> None:
    """The run contains its cases, with relative paths."""
    listed = read_json(run / "cases.json")["cases"]
    assert all((run / case["image"]).is_file() for case in listed)
    assert not any(Path(case["image"]).is_absolute() for case in listed)
    assert RunFolder(run).cases.cases[0].image.is_relative_to(run)


def names_of(segmentation: Any) -> list[str]:
    segments = segmentation.GetSegmentation()
    return [segments.GetNthSegment(k).GetName() for k in range(segments.GetNumberOfSegments())]


def voxels(volume: Any) -> np.ndarray:
    return slicer.util.arrayFromVolume(volume)


def mask(segmentation: Any, index: int, volume: Any) -> np.ndarray:
    key = segmentation.GetSegmentation().GetNthSegmentID(index)
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, key, volume) > 0


def dice(one: Any, other: Any, volume: Any, index: int) -> float:
    a, b = mask(one, index, volume), mask(other, index, volume)
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


def assert_same_place(segmentation: Any, volume: Any) -> None:
    """The labelmap has the voxel grid of the volume."""
    image = slicer.vtkOrientedImageData()
    key = segmentation.GetSegmentation().GetNthSegmentID(0)
    segmentation.GetBinaryLabelmapRepresentation(key, image)
    ours, theirs = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(ours)
    volume.GetIJKToRASMatrix(theirs)
    between = np.linalg.inv(array_of(theirs)) @ array_of(ours)
    between[:3, 3] -= np.rint(between[:3, 3])  # a segment's image may be a part of the volume
    assert between == pytest.approx(np.eye(4), abs=1e-6)


def array_of(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "hart"}, "unknown preset 'hart'"),
        ({"settings": {"final_steps": 0}}, "final_steps must be 1 or more"),
        ({"settings": {"speed": 3}}, "there is no setting 'speed'"),
        ({"effort": "heroic"}, "effort must be one of"),
        ({"classMap": {"Anterior": ""}}, "No segment is mapped"),
    ],
)
def test_invalid_training_is_rejected_in_one_line(
    host: Any, scene: Any, hippocampus: Path, tmp_path: Path, changes: dict, message: str
) -> None:
    load_hippocampi(hippocampus, 2)
    logic = GenSegSlicerLogic()
    arguments = {"preset": "hippocampus-mri", **changes}
    with pytest.raises(GenSegError, match=message) as error:
        logic.train(logic.findPairs(), outputFolder=tmp_path / "runs", **arguments)
    assert "\n" not in str(error.value)
    assert logic.trainingJob is None
    assert not (tmp_path / "runs").exists()


def test_training_needs_training_pairs(scene: Any, tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="No pair has the role Train"):
        GenSegSlicerLogic().train([], "hippocampus-mri", tmp_path)


def test_other_folders_are_not_resumed_or_attached(host: Any, tmp_path: Path) -> None:
    logic = GenSegSlicerLogic()
    for action in (logic.resume, logic.attach):
        with pytest.raises(GenSegError, match="is not a run folder"):
            action(tmp_path)


def test_pairs_are_written_one_per_step(
    host: Any, scene: Any, hippocampus: Path, tmp_path: Path
) -> None:
    load_hippocampi(hippocampus, 50)
    writer = CaseWriter(
        GenSegSlicerLogic().findPairs(), load_preset("hippocampus-mri"), TrainConfig(), CLASSES
    )
    for _ in writer.steps(tmp_path / "run"):
        host.process_events()
    assert len(list((tmp_path / "run" / "inputs" / "images").iterdir())) == 50
