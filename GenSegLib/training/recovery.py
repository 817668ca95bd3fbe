"""Recovery of a training from the last checkpoint after an interruption.

A diverged loss halves the learning rates. Exhausted memory halves the micro-batches, whose
gradients add up to those of the whole batch (see `micro_batches`). An unavailable drive is waited
for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Union

from ..computing.devices import is_out_of_memory
from ..errors import DriveUnavailable, GenSegError
from ..runs import RunFolder, State
from .checkpoints import TrainingState

MAX_LR_HALVINGS = 3
DRIVE_TIMEOUT_S, DRIVE_POLL_S = 300.0, 1.0


class LossDiverged(Exception):  # noqa: N818 - the training may recover
    """A loss or a weight is NaN or infinite; the text names it."""


Interruption = Union[LossDiverged, MemoryError, DriveUnavailable]


def require_finite(losses: Mapping[str, float]) -> None:
    """Raise LossDiverged if a loss is NaN or infinite."""
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise LossDiverged(", ".join(bad))


def as_interruption(error: Exception) -> Interruption | None:
    """Return the interruption that an error means, without references to tensors; None if fatal."""
    if isinstance(error, (LossDiverged, DriveUnavailable)):
        return error.with_traceback(None)
    return MemoryError() if is_out_of_memory(error) else None


def prepare_recovery(
    interruption: Interruption, state: TrainingState, step: int, batch_size: int, run: RunFolder
) -> str:
    """Adapt how a training computes, or wait until it can continue; return a message.

    Args:
        interruption: what happened.
        state: gets smaller learning rates or micro-batches.
        step: steps of all phases so far.
        batch_size: largest batch that was computed.
        run: run folder.

    Raises:
        GenSegError: all remedies are exhausted.
        DriveUnavailable: the drive has not come back in time.
    """
    if isinstance(interruption, LossDiverged):
        state.lr_halvings = _halve_again(state.lr_halvings, str(interruption), step)
        return f"{interruption} is NaN or infinite after step {step}; halving the learning rates"
    if isinstance(interruption, DriveUnavailable):
        seconds = _wait_for_drive(run, step, interruption)
        return f"the drive of the run was unavailable for {seconds:.0f} s; training continues"
    state.micro_batch_size = _smaller_micro_batch(state.micro_batch_size or batch_size)
    return (
        f"out of memory after step {step}; continuing with micro-batches of "
        f"{state.micro_batch_size}, which is slower"
    )


def _smaller_micro_batch(size: int) -> int:
    if size <= 1:
        raise GenSegError(
            "not enough memory for a single sample; close other programs, choose another "
            "device, or use a preset with a smaller patch_size"
        )
    return (size + 1) // 2


def _halve_again(halvings: int, name: str, step: int) -> int:
    if halvings >= MAX_LR_HALVINGS:
        raise GenSegError(
            f"{name} is NaN or infinite after step {step}, although the learning rates were halved "
            f"{MAX_LR_HALVINGS} times; use the setting precision=fp32 or a smaller segmenter_lr"
        )
    return halvings + 1


def _wait_for_drive(run: RunFolder, step: int, error: DriveUnavailable) -> float:
    """Wait until the run's status can be written; return the seconds it took."""
    start = time.monotonic()
    while time.monotonic() - start < DRIVE_TIMEOUT_S:
        time.sleep(DRIVE_POLL_S)
        with suppress(DriveUnavailable):
            run.write_status(State.RUNNING, step)
            return time.monotonic() - start
    raise error
