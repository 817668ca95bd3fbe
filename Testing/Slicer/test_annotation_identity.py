"""Drafts, corrections and labels of a case are shown with the volume that they were made for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from annotation_loops import GRID, cases, correct, end_session, image_folder, other_block, voxels_of
from bright_model import bright_block

from GenSegLib.files import read_json, write_json

pytest_plugins = ["annotation_loops"]


def test_a_draft_is_not_shown_with_another_volume_of_that_name(
    drafted: Any, new_loop: Any, wait: Any
) -> None:
    loop, _ = drafted
    loop.leave()
    end_session(loop)
    _, bright = other_block("a")
    other = new_loop()
    assert cases(other) == [("a_2", "to do")]
    other.next()
    wait(other)
    assert np.array_equal(voxels_of(other), bright)


def test_a_correction_in_progress_is_kept_for_its_own_volume(
    drafted: Any, new_loop: Any, wait: Any
) -> None:
    loop, bright = drafted
    corrected = correct(loop, bright)
    loop.leave()
    end_session(loop)
    other_block("a")
    other = new_loop()
    other.next()
    wait(other)
    other.accept()
    end_session(other)
    bright_block("a", GRID)
    again = new_loop()
    again.next()
    assert again.current.case.name == "a"
    assert np.array_equal(voxels_of(again), corrected)


def test_a_correction_of_an_earlier_version_belongs_to_any_volume_of_its_name(
    new_loop: Any, drafted: Any
) -> None:
    loop, bright = drafted
    corrected = correct(loop, bright)
    loop.leave()
    folder = loop.workspace.folder.path
    (folder / "states.jsonl").unlink()
    values = read_json(folder / "edits" / "a.json")
    write_json(folder / "edits" / "a.json", {**values, "content": ""})
    end_session(loop)
    bright_block("a", GRID)
    again = new_loop()
    again.next()
    assert np.array_equal(voxels_of(again), corrected)


def test_the_name_that_a_volume_has_in_another_output_folder_does_not_count(
    drafted: Any, new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    loop, _ = drafted
    loop.accept()
    end_session(loop)
    other_block("a")
    other = new_loop(outputFolder=str(tmp_path / "second"))
    other.next()
    wait(other)
    assert other.current.case.name == "a"
    slicer.mrmlScene.RemoveNode(other.current.case.segmentationNode)
    assert cases(new_loop()) == [("a_2", "to do"), ("a", "checked")]


def test_an_image_of_a_folder_is_listed_beside_a_volume_of_its_name(
    new_loop: Any, tmp_path: Path
) -> None:
    folder = image_folder(tmp_path / "images", other_block)
    bright_block("a", GRID)
    loop = new_loop(imageFolder=folder)
    assert cases(loop) == [("a", "to do"), ("a_2", "to do"), ("b", "to do")]


def test_equal_file_names_in_a_second_folder_are_other_cases(
    new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    one = image_folder(tmp_path / "one", lambda name: bright_block(name, GRID))
    two = image_folder(tmp_path / "two", other_block)
    loop = new_loop(imageFolder=one)
    loop.next()
    wait(loop)
    loop.accept()
    wait(loop)
    loop.leave()
    end_session(loop)
    second = new_loop(imageFolder=two)
    assert cases(second) == [("a_2", "to do"), ("b_2", "to do"), ("a", "checked")]
    loop = new_loop(imageFolder=one)
    assert cases(loop) == [("a", "checked"), ("b", "draft")]


def test_a_file_that_replaced_a_checked_one_is_another_case_when_it_is_loaded(
    new_loop: Any, wait: Any, tmp_path: Path
) -> None:
    one = image_folder(tmp_path / "one", lambda name: bright_block(name, GRID))
    loop = new_loop(imageFolder=one)
    loop.next()
    wait(loop)
    loop.accept()
    wait(loop)
    loop.leave()
    end_session(loop)
    volume, bright = other_block("a")
    slicer.util.saveNode(volume, str(tmp_path / "one" / "a.nrrd"))
    slicer.mrmlScene.Clear(0)
    again = new_loop(imageFolder=one)
    again.open(again.workspace.case("a"))
    wait(again)
    assert again.current.case.name == "a_2"
    assert np.array_equal(voxels_of(again), bright), "it is predicted"
    again.accept()
    wait(again)
    again.leave()
    end_session(again)
    last = new_loop(imageFolder=one)
    assert cases(last) == [("a_2", "checked"), ("b", "draft"), ("a", "checked")]
