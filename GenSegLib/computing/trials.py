"""Timing a step of a training before it starts, to choose how it is computed."""

from __future__ import annotations

import time
from collections.abc import Callable

_GAIN = 1.2  # noise alone is not to change the rounding of results
_TRIALS = 4
_PATIENCE_S = 0.75  # enough trials of one way


def seconds_of(step: Callable[[], None]) -> float:
    """Return the seconds that a step takes when nothing gets in its way.

    The first trial makes what later ones reuse, and counts where it is too slow for others.
    """
    seconds = [_timed(step)]
    while len(seconds) < _TRIALS and sum(seconds) < _PATIENCE_S:
        seconds.append(_timed(step))
    return min(seconds)


def _timed(step: Callable[[], None]) -> float:
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def is_clearly_faster(seconds: float, than: float) -> bool:
    """Tell whether the seconds are so many fewer that noise cannot be why."""
    return seconds * _GAIN < than
