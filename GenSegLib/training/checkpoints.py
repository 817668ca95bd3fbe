"""Checkpoints of a training: written atomically, verified when read, the last two kept."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from ..computing.memory_format import CHANNELS_LAST
from ..errors import GenSegError
from ..files import write_bytes
from .learner import Learner
from .schedule import PHASES

_MAX_CHECKPOINTS = 2
_DIGEST_BYTES = 32
# names of earlier versions
_RENAMED = {
    "halvings": "lr_halvings",
    "micro_batch": "micro_batch_size",
}


@dataclass
class TrainingState:
    """Progress of a training, and how it computes, beside the learner's state.

    Attributes:
        phase, step: the current phase and its steps so far.
        elapsed_s: seconds of training, including preparation and those before a resume.
        preparation_s: seconds before the first step; None until then.
        missing_steps: planned steps that were not done, by phase that has ended.
        last_dice: of validation; None before the first one.
        fit_dice: on validation cases at the end, when the model has learned from them, too; None
            unless `last_dice` is of no use.
        is_empty: whether no prediction of the last of these had any foreground.
        lr_halvings: how often the learning rates were halved after a loss had diverged.
        micro_batch_size: samples per forward pass; 0 for whole batches.
        threads: CPU threads; 0 before they are chosen. Like `memory_format`, another number would
            change the rounding of results.
        memory_format: of the segmenter.
    """

    phase: str = PHASES[0]
    step: int = 0
    elapsed_s: float = 0.0
    preparation_s: float | None = None
    missing_steps: dict[str, int] = field(default_factory=dict)
    last_dice: float | None = None
    fit_dice: float | None = None
    is_empty: bool = False
    lr_halvings: int = 0
    micro_batch_size: int = 0
    threads: int = 0
    memory_format: str = CHANNELS_LAST

    def copy_execution(self, other: TrainingState) -> None:
        """Take over from another state how the training computes, and its times."""
        names = ("elapsed_s", "preparation_s", "lr_halvings", "micro_batch_size", "threads")
        for name in (*names, "memory_format"):
            setattr(self, name, getattr(other, name))


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint; see `load_checkpoint`."""

    folder: Path
    state: TrainingState
    learner: dict[str, Any]

    def restore(self, learner: Learner) -> None:
        """Load the learner's state.

        Raises:
            GenSegError: it belongs to another training.
        """
        with _mismatch_errors(self.folder):
            learner.load_state_dict(self.learner)


def save_checkpoint(folder: Path, state: TrainingState, learner: Learner, step: int) -> None:
    """Write a checkpoint after `step` steps of all phases.

    Raises:
        GenSegError: the disk is full or the folder is not writable.
    """
    write_checkpoint(folder, step, {"progress": vars(state), "learner": learner.state_dict()})


def load_checkpoint(folder: Path, log: Callable[[str, str], None]) -> Checkpoint | None:
    """Read the newest intact checkpoint, if there is one.

    Raises:
        GenSegError: all checkpoints are corrupted, or they belong to another training.
    """
    contents, corrupted = read_checkpoint(folder)
    for path in corrupted:
        log(f"{path.name} is corrupted; using an earlier checkpoint", "warning")
    if contents is None:
        return None
    with _mismatch_errors(folder):
        progress = {_RENAMED.get(name, name): x for name, x in contents["progress"].items()}
        known = {item.name for item in fields(TrainingState)}  # not entries that were removed
        state = TrainingState(**{name: x for name, x in progress.items() if name in known})
        return Checkpoint(folder, state, contents["learner"])


def write_checkpoint(folder: Path, step: int, contents: dict[str, Any]) -> Path:
    """Write tensors and plain values, preceded by their SHA-256, and remove old checkpoints.

    Raises:
        GenSegError: the disk is full or the folder is not writable.
    """
    buffer = io.BytesIO()
    torch.save(contents, buffer)
    data = buffer.getvalue()
    path = folder / f"step-{step:08d}.pt"
    write_bytes(path, hashlib.sha256(data).digest() + data)
    for old in _checkpoint_files(folder)[:-_MAX_CHECKPOINTS]:
        old.unlink()
    return path


def read_checkpoint(folder: Path) -> tuple[dict[str, Any] | None, list[Path]]:
    """Return the contents of the newest intact checkpoint, and the corrupted files after it.

    The contents are None if there is no checkpoint at all.

    Raises:
        GenSegError: all checkpoints are corrupted, or one holds other objects than tensors and
            plain values.
    """
    corrupted: list[Path] = []
    for path in reversed(_checkpoint_files(folder)):
        data = path.read_bytes()
        if hashlib.sha256(data[_DIGEST_BYTES:]).digest() != data[:_DIGEST_BYTES]:
            corrupted.append(path)
            continue
        try:
            buffer = io.BytesIO(data[_DIGEST_BYTES:])
            return torch.load(buffer, map_location="cpu", weights_only=True), corrupted
        except Exception as error:  # PyTorch raises many types
            raise GenSegError(
                f"{path} contains objects other than tensors and plain values and is not loaded; "
                "do not trust this run"
            ) from error
    if corrupted:
        raise GenSegError(
            f"all checkpoints in {folder} are corrupted; train again with --overwrite"
        )
    return None, corrupted


def _checkpoint_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"))


@contextmanager
def _mismatch_errors(folder: Path) -> Iterator[None]:
    """Raise GenSegError if a checkpoint does not fit the training."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise GenSegError(
            f"the checkpoint in {folder} does not belong to this training; train again with "
            "--overwrite"
        ) from error
