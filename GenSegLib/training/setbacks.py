"""What a training survives by going back to its last checkpoint, and what it then does otherwise.

A loss that is no number: smaller steps. Memory that runs out: fewer samples at a time, whose
gradients add up to those of the whole batch (see `pieces`) but where a network normalizes over the
samples. A drive that goes away: nothing else, once it is back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Union

from ..errors import DriveAway, GenSegError
from ..runs import RunFolder, State
from .standing import Standing

MOST_HALVINGS = 3
DRIVE_PATIENCE_S, DRIVE_LOOK_S = 300.0, 1.0


class LossDiverged(Exception):  # noqa: N818 - the training may well recover
    """A loss, or a weight, is no number any more; the text says which."""


Setback = Union[LossDiverged, MemoryError, DriveAway]


def note_setback(
    setback: Setback, standing: Standing, step: int, whole_batch: int, run: RunFolder
) -> str:
    """Note where a training stands what it has to do otherwise, or wait until it can go on.

    Args:
        setback: what happened.
        standing: gets smaller steps or batches.
        step: of all phases, after which it happened.
        whole_batch: the most samples that were computed at a time.
        run: the run folder.

    Returns:
        What to tell the user.

    Raises:
        GenSegError: nothing more can be done about it.
        DriveAway: the drive is not back in time.
    """
    if isinstance(setback, LossDiverged):
        standing.halvings = halved_again(standing.halvings, str(setback), step)
        return f"{setback} is no number after step {step}; the steps are halved"
    if isinstance(setback, DriveAway):
        away_s = wait_for_drive(run, step, setback)
        return f"the drive of the run was away for {away_s:.0f} s; the training goes on"
    standing.micro_batch = smaller_batch(standing.micro_batch, whole_batch)
    return (
        f"the memory ran out after step {step}; from here on {standing.micro_batch} of a batch's "
        "samples are computed at a time, which takes longer"
    )


def require_numbers(losses: Mapping[str, float]) -> None:
    """Raise LossDiverged where a loss is NaN or infinite."""
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise LossDiverged(", ".join(bad))


def smaller_batch(now: int, whole: int) -> int:
    """Give how many samples to take at a time after `now` (0: all of `whole`) were too many.

    Raises:
        GenSegError: it was one already.
    """
    before = now or whole
    if before <= 1:
        raise GenSegError(
            "the memory is not enough for one sample at a time; close other programs, choose "
            "another --device, or a preset with a smaller patch_size"
        )
    return (before + 1) // 2


def halved_again(halvings: int, what: str, step: int) -> int:
    """Count one more halving of the steps.

    Raises:
        GenSegError: there were `MOST_HALVINGS` already.
    """
    if halvings >= MOST_HALVINGS:
        raise GenSegError(
            f"{what} is no number after step {step}, though the steps were halved "
            f"{MOST_HALVINGS} times; train with --set precision=fp32 or a smaller segmenter_rate"
        )
    return halvings + 1


def wait_for_drive(run: RunFolder, step: int, fault: DriveAway) -> float:
    """Wait until the run's status can be written again; give the seconds that it took.

    Raises:
        DriveAway: the fault, where the drive is not back in time.
    """
    began = time.monotonic()
    while time.monotonic() - began < DRIVE_PATIENCE_S:
        time.sleep(DRIVE_LOOK_S)
        with suppress(DriveAway):
            run.write_status(State.RUNNING, step)
            return time.monotonic() - began
    raise fault
