"""Where a training stands, and how that is kept in its checkpoints and found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..computing import distributed
from ..computing.memory_format import CHANNELS_LAST
from ..errors import GenSegError
from .checkpoints import load_checkpoint, save_checkpoint
from .learner import Learner
from .schedule import PHASES


@dataclass
class Standing:
    """What a checkpoint keeps beside the learner's state.

    `halvings` counts how often the steps became smaller, `micro_batch` is how many samples go
    through a network at a time (0: all); see `setbacks` and `pieces`. `threads` is how many it
    computes on (0: not chosen yet), `memory_format` how the segmenter lies in memory: other ones
    would round sums another way.
    """

    phase: str = PHASES[0]
    step: int = 0
    elapsed_s: float = 0.0
    best_dice: float = -1.0
    last_dice: float | None = None
    waited: int = 0
    halvings: int = 0
    micro_batch: int = 0
    threads: int = 0
    memory_format: str = CHANNELS_LAST

    def keep_on(self, before: Standing) -> None:
        """Take over how the training computes, and the time that it took, after it went back."""
        for name in ("elapsed_s", "halvings", "micro_batch", "threads", "memory_format"):
            setattr(self, name, getattr(before, name))


@dataclass(frozen=True)
class Kept:
    """What a checkpoint kept; see `load_kept`."""

    folder: Path
    standing: Standing
    learner: dict[str, Any]

    def restore(self, learner: Learner) -> None:
        """Let the learner go on from here.

        Raises:
            GenSegError: it is the learner of another training.
        """
        with _of_this_training(self.folder):
            learner.restore(self.learner)


def load_kept(folder: Path, tell: Callable[[str, str], None]) -> Kept | None:
    """Read the last sound checkpoint of a folder, where there is one; all processes do together.

    Raises:
        GenSegError: all checkpoints are damaged, or of another training.
    """
    state, damaged = load_checkpoint(folder)
    distributed.wait()  # before the leader writes the next one
    for path in damaged:
        tell(f"{path.name} is damaged; an earlier checkpoint is used", "warning")
    if state is None:
        return None
    with _of_this_training(folder):
        return Kept(folder, Standing(**state["progress"]), state["learner"])


def keep(folder: Path, standing: Standing, learner: Learner, step: int) -> None:
    """Write a checkpoint.

    Raises:
        GenSegError: the disk is full or the folder cannot be written.
    """
    save_checkpoint(folder, step, {"progress": vars(standing), "learner": learner.state()})


@contextmanager
def _of_this_training(folder: Path) -> Iterator[None]:
    """Tell of a checkpoint that does not fit."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as fault:
        raise GenSegError(
            f"the checkpoint in {folder} is not of this training; train again with --overwrite"
        ) from fault
