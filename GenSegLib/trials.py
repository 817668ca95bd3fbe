"""Timing a step of a training before it starts, to choose how it is computed."""

from __future__ import annotations

import time
from collections.abc import Callable

_GAIN = 1.2  # noise alone is not to change the rounding of results
_TRIALS = 3
_PATIENCE_S = 1.0  # enough trials of one way


def seconds_of(step: Callable[[], None]) -> float:
    """Return the seconds that a step takes when nothing gets in its way."""
    step()
    began, seconds = time.perf_counter(), list[float]()
    while len(seconds) < _TRIALS and time.perf_counter() - began < _PATIENCE_S:
        at = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - at)
    return min(seconds)


def is_clearly_faster(seconds: float, than: float) -> bool:
    """Tell whether the seconds are so many fewer that noise cannot be why."""
    return seconds * _GAIN < than
