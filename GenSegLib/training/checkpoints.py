"""Checkpoints: written whole or not at all, verified when read, the last two kept."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from ..errors import GenSegError
from ..files import write_bytes

_KEPT = 2
_DIGEST_BYTES = 32

State = dict[str, Any]


def save_checkpoint(folder: Path, step: int, state: State) -> Path:
    """Write a state of tensors and plain values; its SHA-256 stands before it in the file.

    Raises:
        GenSegError: the disk is full or the folder cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    path = folder / f"step-{step:08d}.pt"
    write_bytes(path, hashlib.sha256(content).digest() + content)
    for old in _checkpoints(folder)[:-_KEPT]:
        old.unlink()
    return path


def load_checkpoint(folder: Path) -> tuple[State | None, list[Path]]:
    """Return the newest sound state and the damaged files that were passed over.

    The state is None where there is no checkpoint at all.

    Raises:
        GenSegError: there are checkpoints and all of them are damaged.
    """
    damaged: list[Path] = []
    for path in reversed(_checkpoints(folder)):
        content = path.read_bytes()
        if hashlib.sha256(content[_DIGEST_BYTES:]).digest() == content[:_DIGEST_BYTES]:
            buffer = io.BytesIO(content[_DIGEST_BYTES:])
            try:
                return torch.load(buffer, map_location="cpu", weights_only=True), damaged
            except Exception as fault:  # whatever PyTorch's readers stumble over
                raise GenSegError(
                    f"{path} holds something else than tensors and plain values, and is not used; "
                    "do not trust this run"
                ) from fault
        damaged.append(path)
    if damaged:
        raise GenSegError(f"all checkpoints in {folder} are damaged; train again with --overwrite")
    return None, damaged


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"))
