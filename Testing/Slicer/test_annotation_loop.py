"""The annotation loop without its panel: drafts, corrections, states, and partial annotation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import GRID, begun_loop, draw, records, states, voxels_of
from bright_model import bright_block
from GenSegSlicerLib.AnnotationWorkspace import AnnotationSettings
from GenSegSlicerLib.Logic import GenSegSlicerLogic
from GenSegSlicerLib.PairFinder import importFolder
from GenSegSlicerLib.ParameterNode import GenSegSlicerParameterNode
from GenSegSlicerLib.PartialAnnotation import setDrawnPart
from photo_files import photo_folder

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.cli import build_parser
from GenSegLib.datasets.image_io import read_label

pytest_plugins = ["annotation_loops"]


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


def test_a_correction_counts_against_the_draft_and_is_what_trains(drafted: Any) -> None:
    loop, bright = drafted
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


def test_an_empty_segmentation_is_accepted_at_the_second_time(drafted: Any) -> None:
    loop, _ = drafted
    draw(loop, np.zeros_like(voxels_of(loop)))
    loop.accept()
    assert loop.message == (
        "warning",
        "All segments of a are empty; press Accept again to confirm",
    )
    assert states(loop) == {"a": "draft"}
    loop.accept()
    assert states(loop) == {"a": "checked"}
    assert records(loop)[0].dice == 0


def test_a_skipped_case_comes_again_after_the_others(new_loop: Any, wait: Any) -> None:
    loop = begun_loop(new_loop, wait)
    opened = []
    for _ in range(3):
        opened.append(loop.current.case.title)
        loop.skip()
        wait(loop)
    assert opened == ["a", "b", "c"]
    assert loop.current.case.title == "a"
    assert [record.action for record in records(loop)] == ["skipped"] * 3


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
    slicer.util.loadScene(str(path))
    elsewhere = new_loop(outputFolder=str(tmp_path / "elsewhere"))
    assert states(elsewhere) == {"a": "checked", "b": "draft"}
    assert [pair.volumeNode.GetName() for pair in GenSegSlicerLogic().findPairs()] == ["a"]


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


def test_pictures_whose_voxels_were_released_are_checked_cases(
    new_loop: Any, tmp_path: Path
) -> None:
    pairs = importFolder(photo_folder(tmp_path / "photos"))
    loop = new_loop(pairs=pairs, preset="generic-2d-color", model="")
    assert states(loop) == dict.fromkeys(("p0", "p1", "p2"), "checked")
    for _ in loop.trainer.saver.save():
        pass
    cases = loop.workspace.folder.checked_cases().cases
    assert [case.image.name for case in cases] == ["p0.jpg", "p1.jpg", "p2.jpg"]
    assert all(read_label(case.label).array.any() for case in cases)
    assert all(pair.isReleased for pair in pairs), "again"
    loop.open(loop.workspace.case("p1"))
    assert voxels_of(loop).any()


def test_slices_that_nobody_drew_are_ignored(drafted: Any) -> None:
    loop, bright = drafted
    setDrawnPart(loop.current.case.segmentationNode, "axial")
    bright[3:] = False
    draw(loop, bright)
    loop.accept()
    assert records(loop)[0].dice == 1, "the draft is right in the slices that are drawn"
    cases = json.loads((loop.workspace.folder.path / "cases.json").read_text())
    assert cases["cases"][0]["only_slices"] == "axial"


def test_ignored_voxels_lie_above_all_other_segments(drafted: Any) -> None:
    loop, bright = drafted
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


def test_the_default_strategy_is_the_same_in_the_panel_and_on_the_command_line(scene: Any) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    panel = GenSegSlicerParameterNode(node).annotateStrategy
    command = build_parser().parse_args(["next", "model", "images"]).strategy
    assert panel == command == AnnotationSettings().strategy


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
    assert ranked.current.case.title == "odd", ranked.message
