"""What is newer counts, of a scene and the annotation folder, and checked labels before drafts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from annotation_loops import GRID, cases, correct, draw, end_session, voxels_of
from bright_model import bright_block
from GenSegSlicerLib.AnnotationFiles import writeDraft
from GenSegSlicerLib.DraftPredictor import Draft, DraftRequest
from GenSegSlicerLib.Logic import GenSegSlicerLogic

from GenSegLib.datasets.image_io import read_label
from GenSegLib.models.folder import ModelMetadata

pytest_plugins = ["annotation_loops"]


def test_a_checked_case_stays_checked_when_it_is_predicted_again(
    drafted: Any, new_loop: Any, wait: Any, model: Path
) -> None:
    loop, bright = drafted
    corrected = correct(loop, bright)
    loop.accept()
    end_session(loop)
    volume, _ = bright_block("a", GRID)
    GenSegSlicerLogic().apply(model, volume, wait=True)
    again = new_loop()
    assert cases(again) == [("a", "checked")]
    again.open(again.workspace.case("a"))
    wait(again)
    assert np.array_equal(voxels_of(again), corrected)


def test_the_draft_of_an_older_scene_does_not_replace_a_checked_label(
    drafted: Any, new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    loop, bright = drafted
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    corrected = correct(loop, bright)
    loop.accept()
    end_session(loop)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    again = new_loop()
    assert cases(again) == [("a", "checked")]
    again.open(again.workspace.case("a"))
    wait(again)
    assert np.array_equal(voxels_of(again), corrected)


def test_a_draft_that_arrives_late_leaves_a_case_checked(drafted: Any, model: Path) -> None:
    loop, bright = drafted
    case, metadata = loop.current.case, ModelMetadata.load(model)
    loop.accept()
    request = DraftRequest("a", model, metadata, "cpu", lambda: None)
    label = np.ascontiguousarray(bright.astype(np.uint8))
    writeDraft(loop.workspace.folder, Draft(request, label, GRID, case.content))
    assert loop.workspace.folder.entries()["a"].state == "checked"


def test_a_correction_that_is_newer_than_the_scene_is_opened(
    drafted: Any, new_loop: Any, tmp_path: Path
) -> None:
    loop, bright = drafted
    draw(loop, bright)
    loop.save()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    corrected = correct(loop, bright)
    loop.leave()
    end_session(loop)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    again = new_loop()
    again.next()
    assert np.array_equal(voxels_of(again), corrected)
    assert again.message[1].startswith("The annotation folder has a newer segmentation of a than")
    again.open(again.workspace.case("a"))
    assert again.message[1].startswith("Correct the draft of a"), "it is current now"


def test_a_scene_that_is_newer_than_the_last_save_is_opened(
    drafted: Any, new_loop: Any, tmp_path: Path
) -> None:
    loop, bright = drafted
    draw(loop, bright)
    loop.save()
    corrected = correct(loop, bright)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    end_session(loop)  # killed
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    again = new_loop()
    again.next()
    assert np.array_equal(voxels_of(again), corrected)


def test_an_older_scene_does_not_overwrite_a_checked_label(
    drafted: Any, new_loop: Any, tmp_path: Path
) -> None:
    loop, bright = drafted
    loop.accept()
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    loop.open(loop.workspace.case("a"))
    corrected = correct(loop, bright)
    loop.accept()
    end_session(loop)
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    again = new_loop()
    for _ in again.trainer.saver.save():
        pass
    label = read_label(again.workspace.folder.file("labels", "a"))
    assert np.array_equal(label.array[0].T != 0, corrected)


def test_a_result_of_apply_does_not_replace_a_correction_in_progress(
    drafted: Any, new_loop: Any, model: Path
) -> None:
    loop, bright = drafted
    corrected = correct(loop, bright)
    loop.leave()
    end_session(loop)
    volume, _ = bright_block("a", GRID)
    GenSegSlicerLogic().apply(model, volume, wait=True)
    again = new_loop()
    again.next()
    assert np.array_equal(voxels_of(again), corrected)
