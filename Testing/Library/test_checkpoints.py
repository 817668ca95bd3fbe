"""Checkpoints are whole, verified, and at most two."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from GenSegLib.errors import GenSegError
from GenSegLib.training.checkpoints import load_checkpoint, save_checkpoint


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state = {"weights": torch.randn(3, 4), "progress": {"step": 7, "dice": None}}
    save_checkpoint(tmp_path, 7, state)
    found, damaged = load_checkpoint(tmp_path)
    assert found is not None and torch.equal(found["weights"], state["weights"])
    assert found["progress"] == state["progress"]
    assert damaged == []


def test_the_newest_is_read_and_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        save_checkpoint(tmp_path, step, {"step": step})
    assert load_checkpoint(tmp_path)[0] == {"step": 15}
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "step-00000010.pt",
        "step-00000015.pt",
    ]


@pytest.mark.parametrize("harm", ["cut", "zeroed", "emptied"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, harm: str) -> None:
    save_checkpoint(tmp_path, 5, {"step": 5})
    newest = save_checkpoint(tmp_path, 10, {"step": 10})
    content = newest.read_bytes()
    tail = {"cut": content[:-50], "zeroed": content[:-50] + bytes(50), "emptied": b""}
    newest.write_bytes(tail[harm])
    assert load_checkpoint(tmp_path) == ({"step": 5}, [newest])


def test_nothing_but_damaged_checkpoints_is_said(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 5, {"step": 5}).write_bytes(b"nothing")
    with pytest.raises(GenSegError, match=r"all checkpoints .* are damaged; train again"):
        load_checkpoint(tmp_path)


def test_no_checkpoint_is_no_state(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "none") == (None, [])
