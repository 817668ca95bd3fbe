"""Drafts, corrections and labels of a case are shown with the volume that they were made for."""

from __future__ import annotations

from typing import Any

import numpy as np
from annotation_loops import GRID, draw, end_session, voxels_of
from bright_model import bright_block
from mrml_nodes import SHAPE, add_volume

from GenSegLib.files import read_json, write_json

pytest_plugins = ["annotation_loops"]


def other_block(name: str) -> tuple[Any, np.ndarray]:
    """Add a volume of another patient, with a bright block in another place, and its mask."""
    bright = np.zeros(SHAPE[::-1], bool)
    bright[7:9, 5:9, 1:4] = True
    return add_volume(np.where(bright, 900, 10).astype(np.int16), GRID, name), bright


def cases(loop: Any) -> list[tuple[str, str]]:
    return [(case.name, case.state.value) for case in loop.workspace.cases()]


def correct(loop: Any, mask: np.ndarray) -> np.ndarray:
    """Draw a part of a mask as the open case's segment, and return it."""
    corrected = mask.copy()
    corrected[2:4] = False
    draw(loop, corrected)
    return corrected


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
