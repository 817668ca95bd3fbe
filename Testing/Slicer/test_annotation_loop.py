"""The annotation loop without its panel: drafts, states on disk and in scenes, and bad input."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from bright_model import bright_block, make_bright_model
from GenSegSlicerLib.AnnotationLogic import AnnotationLogic
from GenSegSlicerLib.AnnotationWorkspace import AnnotationSettings
from GenSegSlicerLib.DraftPredictor import DraftPredictor
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.PartialAnnotation import ONLY_SLICES_ATTRIBUTE
from mrml_nodes import GRIDS, add_segmentation, oriented_image

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.annotation.records import read_records
from GenSegLib.data.image_io import read_label
from GenSegLib.errors import GenSegError

GRID = GRIDS["anisotropic"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that segments bright voxels."""
    return make_bright_model(tmp_path_factory.mktemp("models") / "bright")


@pytest.fixture(scope="module")
def drafts(host: Any) -> Iterator[DraftPredictor]:
    """The process that predicts drafts, shared by the tests."""
    predictor = DraftPredictor()
    yield predictor
    predictor.stop()


@pytest.fixture
def new_loop(
    host: Any, scene: Any, tmp_path: Path, model: Path, drafts: DraftPredictor
) -> Iterator[Callable[..., AnnotationLogic]]:
    """Returns loops on one output folder; each is ended after the test."""
    loops: list[AnnotationLogic] = []

    def create(**changes: Any) -> AnnotationLogic:
        chosen = AnnotationSettings(
            str(tmp_path / "out"), model=str(model), trainWhen="button", training={}
        )
        chosen = replace(chosen, **changes)
        loop = AnnotationLogic(GenSegSlicerLogic(), lambda: chosen, drafts)
        loops.append(loop)
        return loop

    yield create
    for loop in loops:
        loop.leave()
    host.wait_until(lambda: not drafts.isBusy, 60)  # its result is not for the next test
    for loop in loops:
        loop.trainer.release()
        loop.workspace.close()


@pytest.fixture
def wait(host: Any) -> Callable[[AnnotationLogic], None]:
    """Wait until a loop has opened the next case, or failed."""
    return lambda loop: host.wait_until(lambda: not loop.isWaiting, 60)


def voxels_of(loop: AnnotationLogic) -> np.ndarray:
    """Voxels of the first segment of the open case."""
    case = loop.current.case
    segment = case.segmentationNode.GetSegmentation().GetNthSegmentID(0)
    return slicer.util.arrayFromSegmentBinaryLabelmap(
        case.segmentationNode, segment, case.volumeNode
    )


def draw(loop: AnnotationLogic, mask: np.ndarray) -> None:
    """Replace the voxels of the first segment of the open case."""
    case = loop.current.case
    segment = case.segmentationNode.GetSegmentation().GetNthSegmentID(0)
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask.astype(np.uint8), case.segmentationNode, segment, case.volumeNode
    )


def states(loop: AnnotationLogic) -> dict[str, str]:
    return {case.title: case.state.value for case in loop.workspace.cases()}


def records(loop: AnnotationLogic) -> tuple[Any, ...]:
    return read_records(loop.workspace.folder.records_file).records


def test_an_unchanged_draft_is_accepted_with_dice_1(new_loop: Any, wait: Any) -> None:
    _, bright = bright_block("a", GRID)
    bright_block("b", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    assert loop.current.case.title == "a"
    assert np.array_equal(voxels_of(loop), bright)
    assert states(loop) == {"a": "draft", "b": "to do"}
    loop.accept()
    wait(loop)
    (record,) = records(loop)
    assert (record.case, record.dice, record.classes) == ("a", 1.0, {"Bright": 1.0})
    assert (record.model, record.trained_cases) == (loop.workspace.metadata().name, 3)
    assert loop.current.case.title == "b"
    assert states(loop) == {"a": "checked", "b": "draft"}


def test_a_correction_counts_against_the_draft_and_is_what_trains(new_loop: Any, wait: Any) -> None:
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    half = bright.copy()
    half[:4] = False
    draw(loop, half)
    loop.accept()
    (record,) = records(loop)
    assert record.dice == pytest.approx(2 * half.sum() / (half.sum() + bright.sum()))
    (case,) = loop.workspace.folder.checked_cases().cases
    assert read_label(case.label).array.sum() == half.sum()


def test_corrected_predictions_are_found_as_training_pairs(
    new_loop: Any, wait: Any, model: Path
) -> None:
    volume, bright = bright_block("a", GRID)
    logic = GenSegSlicerLogic()
    job = logic.apply(model, volume, wait=True)
    assert logic.findPairs() == [], "an unchanged prediction is no training case"
    (node,) = job.segmentationNodes
    segment = node.GetSegmentation().GetNthSegmentID(0)
    bright[2] = False
    slicer.util.updateSegmentBinaryLabelmapFromArray(bright.astype(np.uint8), node, segment, volume)
    (pair,) = logic.findPairs()
    assert pair.segmentationNode is node
    loop = new_loop()
    loop.next()
    wait(loop)
    assert logic.findPairs() == [], "a draft counts once it is accepted"
    loop.accept()
    (pair,) = logic.findPairs()
    assert pair.segmentationNode is node


def test_an_empty_segmentation_is_accepted_at_the_second_time(new_loop: Any, wait: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    draw(loop, np.zeros_like(voxels_of(loop)))
    loop.accept()
    assert loop.message == (
        "warning",
        "a has no voxel in any segment; press Accept again if that is right",
    )
    assert states(loop) == {"a": "draft"}
    loop.accept()
    assert states(loop) == {"a": "checked"}
    assert records(loop)[0].dice == 0


def test_a_skipped_case_comes_again_after_the_others(new_loop: Any, wait: Any) -> None:
    for name in "abc":
        bright_block(name, GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    opened = []
    for _ in range(3):
        opened.append(loop.current.case.title)
        loop.skip()
        wait(loop)
    assert opened == ["a", "b", "c"]
    assert loop.current.case.title == "a"
    assert [record.action for record in records(loop)] == ["skipped"] * 3


def test_a_correction_in_progress_survives_the_scene_and_the_process(
    new_loop: Any, wait: Any
) -> None:
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    bright[2:4] = False
    draw(loop, bright)
    loop.save()  # as every 30 seconds
    loop.workspace.close()
    slicer.mrmlScene.Clear(0)
    bright_block("b", GRID)
    bright_block("a", GRID)
    reopened = new_loop()
    assert states(reopened) == {"b": "to do", "a": "draft"}
    reopened.next()
    assert reopened.current.case.title == "a", "what was begun comes first"
    assert np.array_equal(voxels_of(reopened), bright)
    reopened.accept()
    assert records(reopened)[0].dice < 1


def test_states_are_saved_with_the_scene(new_loop: Any, wait: Any, tmp_path: Path) -> None:
    bright_block("a", GRID)
    bright_block("b", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    loop.accept()
    wait(loop)
    path = tmp_path / "scene.mrb"
    assert slicer.util.saveScene(str(path))
    loop.leave()
    slicer.mrmlScene.Clear(0)
    assert slicer.util.loadScene(str(path))
    elsewhere = new_loop(outputFolder=str(tmp_path / "elsewhere"))
    assert states(elsewhere) == {"a": "checked", "b": "draft"}
    assert [pair.volumeNode.GetName() for pair in GenSegSlicerLogic().findPairs()] == ["a"]


def test_what_was_checked_is_known_without_the_scene(new_loop: Any, wait: Any) -> None:
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    loop.accept()
    loop.workspace.close()
    slicer.mrmlScene.Clear(0)
    reopened = new_loop()
    (case,) = reopened.workspace.cases()
    assert (case.title, case.state.value, case.structures) == ("a", "checked", ["Bright"])
    reopened.open(case)
    assert np.array_equal(voxels_of(reopened), bright)


def test_a_renamed_volume_stays_the_same_case(new_loop: Any, wait: Any) -> None:
    volume, _ = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    volume.SetName("patient 7")
    loop.accept()
    assert states(loop) == {"patient 7": "checked"}
    assert list(loop.workspace.folder.entries()) == ["a"]


def test_another_volume_of_the_same_name_is_another_case(new_loop: Any, wait: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    loop.accept()
    slicer.mrmlScene.Clear(0)
    volume, _ = bright_block("a", GRID)
    slicer.util.arrayFromVolume(volume)[0, 0, 0] = 77
    slicer.util.arrayFromVolumeModified(volume)
    assert [(case.name, case.state.value) for case in loop.workspace.cases()] == [
        ("a_2", "to do"),
        ("a", "checked"),
    ]


def test_a_deleted_draft_is_reported_and_opened_again(new_loop: Any, wait: Any) -> None:
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    slicer.mrmlScene.RemoveNode(loop.current.case.segmentationNode)
    with pytest.raises(GenSegError, match="No case is open"):
        loop.accept()
    assert loop.message[1].startswith("a: its volume or segmentation was deleted")
    loop.next()
    wait(loop)
    assert np.array_equal(voxels_of(loop), bright)


def test_a_model_of_other_classes_is_named_and_drafts_nothing(new_loop: Any, wait: Any) -> None:
    volume, bright = bright_block("a", GRID)
    node = add_segmentation([(oriented_image(bright.astype(np.uint8), GRID), {1: "Liver"})])
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    bright_block("b", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    kind, text = loop.message
    assert kind == "warning"
    assert "knows Bright, but the checked cases have Liver" in text
    assert not voxels_of(loop).any()
    segment = loop.current.case.segmentationNode.GetSegmentation().GetNthSegment(0)
    assert segment.GetName() == "Liver"


def test_a_second_panel_on_the_folder_is_refused(new_loop: Any, wait: Any) -> None:
    bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    with pytest.raises(GenSegError, match=r"annotation is being annotated by process \d+ on"):
        new_loop().next()
    loop.accept()
    assert states(loop) == {"a": "checked"}


def test_an_unwritable_folder_is_one_line_and_the_draft_stays(
    new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    labels = loop.workspace.folder.path / "labels"
    labels.write_text("a file where the labels belong")
    with pytest.raises(GenSegError, match="cannot be written") as error:
        loop.accept()
    assert "\n" not in str(error.value)
    assert np.array_equal(voxels_of(loop), bright)
    assert states(loop) == {"a": "draft"}
    labels.unlink()
    loop.accept()
    assert states(loop) == {"a": "checked"}


def test_volumes_of_a_folder_are_loaded_one_by_one(
    new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for name in ("a", "b"):
        volume, bright = bright_block(name, GRID)
        slicer.util.saveNode(volume, str(images / f"{name}.nrrd"))
    slicer.mrmlScene.Clear(0)
    loop = new_loop(imageFolder=str(images))
    assert states(loop) == {"a": "to do", "b": "to do"}
    loop.next()
    wait(loop)
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")] == ["a"]
    assert np.array_equal(voxels_of(loop), bright)
    loop.accept()
    wait(loop)
    assert [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLVolumeNode")] == ["b"]
    assert states(loop) == {"a": "checked", "b": "draft"}
    (case,) = loop.workspace.folder.checked_cases().cases
    assert case.image == images / "a.nrrd"


def test_slices_that_nobody_drew_are_ignored(new_loop: Any, wait: Any) -> None:
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    loop.current.case.segmentationNode.SetAttribute(ONLY_SLICES_ATTRIBUTE, "axial")
    bright[3:] = False
    draw(loop, bright)
    loop.accept()
    assert records(loop)[0].dice == 1, "the draft is right in the slices that are drawn"
    cases = json.loads((loop.workspace.folder.path / "cases.json").read_text())
    assert cases["cases"][0]["only_slices"] == "axial"


def test_ignored_voxels_lie_above_all_other_segments(new_loop: Any, wait: Any) -> None:
    _, bright = bright_block("a", GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    case = loop.current.case
    mask = np.zeros(bright.shape, np.uint8)
    mask[2:4] = 1
    segmentation = case.segmentationNode.GetSegmentation()
    name = segmentation.AddEmptySegment("", "Ignore")
    slicer.util.updateSegmentBinaryLabelmapFromArray(
        mask, case.segmentationNode, name, case.volumeNode
    )
    loop.accept()
    folder = AnnotationFolder(loop.workspace.folder.path.parent)
    values = {name: value for value, name in folder.entries()["a"].names.items()}
    written = read_label(folder.file("labels", "a")).array
    assert (written == values["Ignore"]).sum() == mask.sum()


def test_cases_are_ranked_by_the_model(new_loop: Any, wait: Any) -> None:
    for name in "ab":
        bright_block(name, GRID)
    odd, _ = bright_block("odd", GRID)
    slicer.util.arrayFromVolume(odd)[:] = 500
    slicer.util.arrayFromVolume(odd)[5:] = 10
    loop = new_loop(strategy="order")
    loop.next()
    wait(loop)
    loop.accept()
    wait(loop)
    loop.leave()
    ranked = new_loop(strategy="different")
    loop.workspace.close()
    ranked.next()
    wait(ranked)
    wait(ranked)
    assert ranked.current.case.title == "odd"


def test_a_killed_prediction_is_one_line_and_can_be_repeated(
    host: Any, new_loop: Any, wait: Any, drafts: DraftPredictor
) -> None:
    _, bright = bright_block("a", GRID)
    drafts.stop()
    loop = new_loop()
    loop.next()
    end = time.monotonic() + 1
    host.wait_until(lambda: time.monotonic() > end, 10)
    assert drafts.isPredicting("a")
    drafts._server.kill()
    wait(loop)
    kind, text = loop.message
    assert kind == "error" and text.startswith("a: ") and "\n" not in text
    assert loop.current is None
    loop.next()
    wait(loop)
    assert np.array_equal(voxels_of(loop), bright)
