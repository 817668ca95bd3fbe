"""Checkpoints are intact, verified, and at most two."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from GenSegLib.errors import GenSegError
from GenSegLib.training.checkpoints import load_checkpoint, read_checkpoint, write_checkpoint


def test_contents_are_read_back(tmp_path: Path) -> None:
    contents = {"weights": torch.randn(3, 4), "progress": {"step": 7, "dice": None}}
    write_checkpoint(tmp_path, 7, contents)
    found, corrupted = read_checkpoint(tmp_path)
    assert found is not None and torch.equal(found["weights"], contents["weights"])
    assert found["progress"] == contents["progress"]
    assert corrupted == []


def test_the_newest_of_the_last_two_is_read(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        write_checkpoint(tmp_path, step, {"step": step})
    assert read_checkpoint(tmp_path)[0] == {"step": 15}
    names = [path.name for path in sorted(tmp_path.iterdir())]
    assert names == ["step-00000010.pt", "step-00000015.pt"]


@pytest.mark.parametrize("damage", ["truncated", "zeroed", "emptied"])
def test_a_corrupted_checkpoint_is_skipped(tmp_path: Path, damage: str) -> None:
    write_checkpoint(tmp_path, 5, {"step": 5})
    newest = write_checkpoint(tmp_path, 10, {"step": 10})
    data = newest.read_bytes()
    damaged = {"truncated": data[:-50], "zeroed": data[:-50] + bytes(50), "emptied": b""}
    newest.write_bytes(damaged[damage])
    assert read_checkpoint(tmp_path) == ({"step": 5}, [newest])


def test_only_corrupted_checkpoints_are_an_error(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 5, {"step": 5}).write_bytes(b"nothing")
    with pytest.raises(GenSegError, match=r"all checkpoints .* are corrupted; train again"):
        read_checkpoint(tmp_path)


def test_without_a_checkpoint_there_are_no_contents(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path / "none") == (None, [])


def test_checkpoints_of_earlier_versions_are_read(tmp_path: Path) -> None:
    progress = {"phase": "joint", "step": 3, "waited": 2, "halvings": 1, "micro_batch": 4}
    write_checkpoint(tmp_path, 3, {"progress": progress, "learner": {}})
    checkpoint = load_checkpoint(tmp_path, print)
    assert checkpoint is not None
    state = checkpoint.state
    assert (state.step, state.lr_halvings, state.micro_batch_size) == (3, 1, 4)
