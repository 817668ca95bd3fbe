"""Nothing of an annotation loop is lost: killed processes, deleted nodes, folders in use."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import GRID, begun_loop, draw, end_session, records, states, voxels_of
from bright_model import bright_block
from fake_library import fake_library
from GenSegSlicerLib import AnnotationEdits, TrainingProcess
from GenSegSlicerLib.DraftPredictor import DraftPredictor
from mrml_nodes import add_segmentation, oriented_image

from GenSegLib.annotation.folder import AnnotationFolder
from GenSegLib.datasets.image_io import read_label
from GenSegLib.errors import GenSegError
from GenSegLib.runs import RunFolder

pytest_plugins = ["annotation_loops"]


def test_a_correction_in_progress_survives_the_scene_and_the_process(
    drafted: Any, new_loop: Any
) -> None:
    loop, bright = drafted
    bright[2:4] = False
    draw(loop, bright)
    loop.save()  # as every 30 seconds
    end_session(loop)
    bright_block("b", GRID)
    bright_block("a", GRID)
    reopened = new_loop()
    assert states(reopened) == {"b": "to do", "a": "draft"}
    reopened.next()
    assert reopened.current.case.title == "a", "what was begun comes first"
    assert np.array_equal(voxels_of(reopened), bright)
    reopened.accept()
    assert records(reopened)[0].dice < 1


def test_a_process_killed_while_saving_leaves_the_correction_of_before(
    drafted: Any, new_loop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, bright = drafted
    bright[2:4] = False
    draw(loop, bright)
    loop.save()

    def fail(path: Path, value: object) -> None:
        raise GenSegError("killed here")

    with monkeypatch.context() as patch:
        patch.setattr(AnnotationEdits, "write_json", fail)
        draw(loop, ~bright)
        loop.save()
    end_session(loop)
    bright_block("a", GRID)
    reopened = new_loop()
    reopened.next()
    assert np.array_equal(voxels_of(reopened), bright)


def test_what_is_edited_while_a_case_is_taken_over_is_taken_over_too(
    drafted: Any, wait: Any
) -> None:
    loop, bright = drafted
    path = loop.workspace.folder.file("labels", "a")
    loop.accept(wait=False)
    assert loop.isAccepting and not path.exists()
    corrected = bright.copy()
    corrected[2:4] = False
    draw(loop, corrected)
    wait(loop)
    assert states(loop) == {"a": "checked"}
    assert np.array_equal(read_label(path).array[0].T != 0, corrected)


def test_no_other_case_is_opened_while_one_is_taken_over(drafted: Any, wait: Any) -> None:
    bright_block("b", GRID)
    loop, _ = drafted
    loop.accept(wait=False)
    with pytest.raises(GenSegError, match="A case is being saved; wait until the next one is open"):
        loop.open(loop.workspace.case("b"))
    with pytest.raises(GenSegError, match="A case is being saved"):
        loop.skip()
    wait(loop)
    assert states(loop)["a"] == "checked"
    assert loop.current.case.title == "b"


def test_a_session_that_ends_while_a_case_is_taken_over_keeps_its_correction(
    drafted: Any, new_loop: Any
) -> None:
    loop, bright = drafted
    bright[2:4] = False
    draw(loop, bright)
    loop.accept(wait=False)
    loop.leave()
    assert not loop.isAccepting
    end_session(loop)
    bright_block("a", GRID)
    reopened = new_loop()
    assert states(reopened) == {"a": "draft"}
    reopened.next()
    assert np.array_equal(voxels_of(reopened), bright)


def test_a_case_that_cannot_be_saved_stays_open(
    drafted: Any, wait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, _ = drafted
    shown = []
    loop.onOpened = lambda volume, segmentation: shown.append(segmentation)

    def fail(folder: object, entry: object) -> None:
        raise GenSegError("disk full")

    monkeypatch.setattr(AnnotationFolder, "add", fail)
    loop.accept(wait=False)
    wait(loop)
    assert loop.message == ("error", "disk full")
    assert shown == [loop.current.case.segmentationNode]
    assert states(loop) == {"a": "draft"}


def test_the_correction_is_saved_while_the_user_goes_on(drafted: Any, host: Any) -> None:
    loop, bright = drafted
    draw(loop, ~bright)
    loop._saver._timer.setInterval(1)
    host.wait_until(lambda: AnnotationEdits.hasEdits(loop.workspace.folder, "a"), 60)


def test_what_was_checked_is_known_without_the_scene(drafted: Any, new_loop: Any) -> None:
    loop, bright = drafted
    loop.accept()
    end_session(loop)
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


def test_another_volume_of_the_same_name_is_another_case(drafted: Any) -> None:
    loop, _ = drafted
    loop.accept()
    slicer.mrmlScene.Clear(0)
    volume, _ = bright_block("a", GRID)
    slicer.util.arrayFromVolume(volume)[0, 0, 0] = 77
    slicer.util.arrayFromVolumeModified(volume)
    assert [(case.name, case.state.value) for case in loop.workspace.cases()] == [
        ("a_2", "to do"),
        ("a", "checked"),
    ]


def test_a_deleted_draft_is_reported_and_opened_again(drafted: Any, wait: Any) -> None:
    loop, bright = drafted
    slicer.mrmlScene.RemoveNode(loop.current.case.segmentationNode)
    with pytest.raises(GenSegError, match="No case is open"):
        loop.accept()
    assert loop.message[1].startswith("a: its volume or segmentation was deleted")
    loop.next()
    wait(loop)
    assert np.array_equal(voxels_of(loop), bright)


def test_a_volume_that_is_deleted_while_it_is_drafted_is_reported(new_loop: Any, wait: Any) -> None:
    volume, _ = bright_block("a", GRID)
    bright_block("b", GRID)
    loop = new_loop()
    loop.next()
    slicer.mrmlScene.RemoveNode(volume)
    changes = []
    loop.observers.add(lambda loop: changes.append(loop.isWaiting))
    wait(loop)
    text = "a was removed or accepted meanwhile; press Next case to continue"
    assert loop.message == ("error", text)
    assert changes[-1] is False, "the buttons are enabled again"
    loop.next()
    wait(loop)
    assert loop.current.case.title == "b"


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
    assert "was trained for Bright, but the accepted cases have Liver" in text
    assert not voxels_of(loop).any()
    segment = loop.current.case.segmentationNode.GetSegmentation().GetNthSegment(0)
    assert segment.GetName() == "Liver"


def test_a_second_panel_on_the_folder_is_refused(drafted: Any, new_loop: Any) -> None:
    loop, _ = drafted
    with pytest.raises(GenSegError, match=r"annotation is being annotated by process \d+ on"):
        new_loop().next()
    loop.accept()
    assert states(loop) == {"a": "checked"}


def test_an_unwritable_folder_is_one_line_and_the_draft_stays(drafted: Any, tmp_path: Path) -> None:
    loop, bright = drafted
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


def test_a_process_that_ends_between_label_and_state_leaves_the_draft(
    drafted: Any, new_loop: Any, wait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, _ = drafted

    def fail(self: AnnotationFolder, entry: Any) -> None:
        raise GenSegError("killed here")

    with monkeypatch.context() as patch, pytest.raises(GenSegError, match="killed here"):
        patch.setattr(AnnotationFolder, "add", fail)
        loop.accept()
    assert loop.workspace.folder.file("labels", "a").is_file()
    end_session(loop)
    bright_block("a", GRID)
    reopened = new_loop()
    assert states(reopened) == {"a": "draft"}
    reopened.next()
    wait(reopened)
    reopened.accept()
    assert states(reopened) == {"a": "checked"}
    assert len(records(reopened)) == 1


def test_a_killed_training_is_repeated_with_the_next_case(
    host: Any, new_loop: Any, wait: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = fake_library(TrainingProcess, tmp_path, monkeypatch)
    replaced("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    for name in "abc":
        bright_block(name, GRID)
    loop, jobs = new_loop(trainWhen="now"), []
    loop.trainer.onStarted = jobs.append
    loop.next()
    wait(loop)
    for count in (0, 1, 2):  # two cases are needed
        loop.accept()
        wait(loop)
        host.wait_until(lambda: not loop.trainer.isTraining, 60)
        assert [job.state for job in jobs] == ["failed"] * count
    assert set(states(loop).values()) == {"checked"}
    cases = RunFolder(jobs[1].runFolder).cases
    assert [case.name for case in cases.labeled] == ["a", "b", "c"]


def test_a_killed_prediction_is_one_line_and_can_be_repeated(
    host: Any, new_loop: Any, wait: Any, drafts: DraftPredictor
) -> None:
    _, bright = bright_block("a", GRID)
    drafts.stop()
    loop = new_loop()
    loop.next()
    end = time.monotonic() + 1
    host.wait_until(lambda: time.monotonic() > end, 10)
    assert loop.isWaiting
    drafts._server.kill()
    wait(loop)
    kind, text = loop.message
    assert kind == "error" and text.startswith("a: ") and "\n" not in text
    assert loop.current is None
    loop.next()
    wait(loop)
    assert np.array_equal(voxels_of(loop), bright)


def test_an_open_case_is_left_when_another_output_folder_is_selected(
    drafted: Any, wait: Any, tmp_path: Path
) -> None:
    loop, bright = drafted
    bright[2:4] = False
    draw(loop, bright)
    before, former = loop.workspace.settings, loop.workspace.folder
    other = replace(before, outputFolder=str(tmp_path / "other"))
    loop.workspace._settings = lambda: other
    with pytest.raises(GenSegError, match="No case is open"):
        loop.accept()
    text = "a: another output folder was selected; press Next case to continue"
    assert loop.message == ("error", text)
    assert AnnotationEdits.hasEdits(former, "a"), "its correction is saved where it began"
    loop.next()
    assert np.array_equal(voxels_of(loop), bright)
    loop.accept()
    assert list(loop.workspace.folder.entries()) == ["a"]
    assert former.entries()["a"].state == "draft"


def test_a_folder_that_is_deleted_while_it_is_used_is_written_again(
    new_loop: Any, wait: Any
) -> None:
    loop = begun_loop(new_loop, wait)
    loop.accept()
    wait(loop)
    shutil.rmtree(loop.workspace.folder.path)
    loop.accept()
    wait(loop)
    assert loop.current.case.title == "c"
    for _ in loop.trainer.saver.save():
        pass
    cases = loop.workspace.folder.checked_cases().cases
    assert {case.name for case in cases} == {"a", "b"}
    assert all(case.image.is_file() and case.label.is_file() for case in cases)
