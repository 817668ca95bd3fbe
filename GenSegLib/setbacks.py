"""What a training survives by going back to its last checkpoint, and what it then does otherwise.

A loss that is no number: smaller steps. Memory that runs out: fewer samples at a time, whose
gradients add up to those of the whole batch (see `SegmentationProblem.micro_batch`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .errors import GenSegError

MOST_HALVINGS = 3


class LossDiverged(Exception):  # noqa: N818 - the training may well recover
    """A loss, or a weight, is no number any more; the text says which."""


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
