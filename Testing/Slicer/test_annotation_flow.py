"""How the user goes through the annotation loop: which case comes next, and what Skip keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from annotation_loops import GRID, begun_loop, draw, states, voxels_of
from bright_model import bright_block
from mrml_nodes import add_segmentation, grid_matrix, oriented_image

from GenSegLib.datasets.image_io import read_label
from GenSegLib.errors import GenSegError

SHEARED = grid_matrix((1, 1, 1), skew=0.3)

pytest_plugins = ["annotation_loops"]


def test_a_corrected_case_that_was_skipped_comes_again_after_the_others(
    new_loop: Any, wait: Any
) -> None:
    loop = begun_loop(new_loop, wait)
    opened = []
    for _ in range(4):
        opened.append(loop.current.case.title)
        draw(loop, ~voxels_of(loop).astype(bool))
        loop.skip()
        wait(loop)
    assert opened == ["a", "b", "c", "a"]


@pytest.mark.parametrize("is_left", [False, True])
def test_a_checked_case_that_is_corrected_again_trains_as_it_was_accepted(
    new_loop: Any, wait: Any, is_left: bool
) -> None:
    loop = begun_loop(new_loop, wait, "ab")
    loop.accept()
    wait(loop)
    path = loop.workspace.folder.file("labels", "a")
    accepted = read_label(path).array
    loop.open(loop.workspace.case("a"))
    draw(loop, ~voxels_of(loop).astype(bool))
    if is_left:
        loop.skip()
        wait(loop)
        assert loop.current.case.title == "b"
    for _ in loop.trainer.saver.save():
        pass
    assert (read_label(path).array == accepted).all()
    loop.open(loop.workspace.case("a"))
    loop.accept()
    assert (read_label(path).array != accepted).any()


def folder_of_images(folder: Path) -> Path:
    """A folder of volumes a and b with a bright block; the scene is empty."""
    folder.mkdir()
    for name in "ab":
        volume, _ = bright_block(name, GRID)
        slicer.util.saveNode(volume, str(folder / f"{name}.nrrd"))
    slicer.mrmlScene.Clear(0)
    return folder


def test_a_correction_that_cannot_be_saved_is_not_skipped(
    new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    loop = new_loop(imageFolder=str(folder_of_images(tmp_path / "images")))
    loop.next()
    wait(loop)
    corrected = ~voxels_of(loop).astype(bool)
    draw(loop, corrected)
    edits = loop.workspace.folder.path / "edits"
    edits.write_text("a file where the corrections belong")
    with pytest.raises(GenSegError, match="cannot be written") as error:
        loop.skip()
    assert "\n" not in str(error.value)
    assert np.array_equal(voxels_of(loop), corrected), "its nodes are not removed"
    edits.unlink()
    loop.skip()
    wait(loop)
    loop.open(loop.workspace.case("a"))
    assert np.array_equal(voxels_of(loop), corrected)


def test_what_was_drawn_in_a_skipped_case_is_not_replaced_by_a_draft(
    new_loop: Any, wait: Any
) -> None:
    volume, bright = bright_block("a", GRID)
    bright_block("b", GRID)
    loop = new_loop(model="")
    loop.next()
    drawing = loop.current.case.segmentationNode
    loop.skip()
    segment = drawing.GetSegmentation().AddEmptySegment("", "Bright")
    drawn = (~bright).astype(np.uint8)  # in the Segment Editor module
    slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, drawing, segment, volume)
    loop.leave()
    loop.workspace.close()
    loop = new_loop()
    loop.open(loop.workspace.case("a"))
    wait(loop)
    assert loop.current.case.segmentationNode is drawing
    assert drawing.GetScene() is not None


def unusable_volume(name: str, kind: str) -> Any:
    """A volume whose axes are not perpendicular, or with a NaN voxel."""
    volume, _ = bright_block(name, SHEARED if kind == "sheared" else GRID)
    if kind == "nan":
        voxels = slicer.util.arrayFromVolume(volume).astype(np.float32)
        voxels[0, 0, 0] = np.nan
        slicer.util.updateVolumeFromArray(volume, voxels)
    return volume


@pytest.mark.parametrize("kind", ["sheared", "nan"])
def test_a_volume_that_cannot_be_used_is_passed_over_with_a_note(
    new_loop: Any, wait: Any, kind: str
) -> None:
    for name in ("bad 1", "bad 2"):
        unusable_volume(name, kind)
    for name in "bc":
        bright_block(name, GRID)
    loop = new_loop()
    loop.next()
    wait(loop)
    assert loop.current.case.title == "b"
    task, *notes = loop.message[1].splitlines()
    assert "Correct the draft of b" in task
    assert len(notes) == 2 and "bad 1" in notes[0] and "bad 2" in notes[1]
    loop.accept()
    wait(loop)
    assert loop.current.case.title == "c" and "bad" not in loop.message[1]
    loop.accept()
    wait(loop)
    assert loop.current is None
    assert loop.message == ("error", "\n".join(notes))


def test_a_volume_that_the_user_opens_and_that_cannot_be_used_is_reported(
    new_loop: Any, wait: Any
) -> None:
    unusable_volume("bad", "nan")
    bright_block("b", GRID)
    loop = new_loop()
    loop.open(loop.workspace.case("bad"))
    wait(loop)
    assert loop.current is None
    assert loop.message[0] == "error" and loop.message[1].startswith("bad: ")


def test_a_second_segmentation_of_the_open_volume_does_not_replace_the_draft(drafted: Any) -> None:
    loop, bright = drafted
    body = oriented_image((~bright).astype(np.uint8), GRID)
    helper = add_segmentation([(body, {1: "Body"})])
    helper.SetReferenceImageGeometryParameterFromVolumeNode(loop.current.case.volumeNode)
    assert states(loop) == {"a": "draft"}
    loop.skip()
    assert np.array_equal(voxels_of(loop), bright)
    loop.accept()
    assert loop.workspace.case("a").structures == ["Bright"]
