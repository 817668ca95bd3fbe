"""Bitwise comparison of the last checkpoints of training runs."""

from __future__ import annotations

from typing import Any

import torch

from GenSegLib.runs import RunFolder
from GenSegLib.training.checkpoints import read_checkpoint


def final_state(run: RunFolder) -> dict[str, Any]:
    """The last checkpoint; no checkpoint may be damaged."""
    state, corrupted = read_checkpoint(run.checkpoints)
    assert state is not None and not corrupted
    return state


def differing(first: Any, second: Any, path: str = "") -> list[str]:
    """The paths at which two nested states differ in any bit."""
    if isinstance(first, torch.Tensor):
        return [] if torch.equal(first, second) else [path]
    if isinstance(first, dict):
        return [d for key in first for d in differing(first[key], second[key], f"{path}/{key}")]
    if isinstance(first, (list, tuple)):
        pairs = enumerate(zip(first, second))
        return [d for place, (a, b) in pairs for d in differing(a, b, f"{path}/{place}")]
    return [] if first == second else [path]
