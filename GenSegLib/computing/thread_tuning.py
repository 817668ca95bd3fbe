"""Choice of the number of CPU threads and of the memory format by timing.

PyTorch uses one thread per core. That is too many if other programs use the cores (all threads wait
for the one whose core is shared), on CPUs with slow cores, and for small networks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch

from .memory_format import CHANNELS_FIRST, CHANNELS_LAST

_MIN_SPEEDUP = 1.2  # timing noise alone must not change the rounding of results
_MAX_TRIALS = 4
_ENOUGH_S = 0.75


def time_step(step: Callable[[], None]) -> float:
    """Return the seconds of the fastest of a few calls; a single slow call is enough."""
    seconds: list[float] = []
    while not seconds or (len(seconds) < _MAX_TRIALS and sum(seconds) < _ENOUGH_S):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def fastest_format(seconds_in: Callable[[str], float]) -> tuple[str, float]:
    """Return the memory format to use and its speedup over channels last.

    Args:
        seconds_in: returns the seconds of a step in a memory format.
    """
    last, first = (seconds_in(each) for each in (CHANNELS_LAST, CHANNELS_FIRST))
    if _is_clearly_faster(first, last):
        return CHANNELS_FIRST, last / first
    return CHANNELS_LAST, 1.0


def thread_counts(available: int) -> list[int]:
    """Return the numbers of threads to try: all, half of them, and so on down to one."""
    return [available >> halvings for halvings in range(available.bit_length())]


def fastest_thread_count(
    available: int, seconds_with: Callable[[int], float], current: int
) -> tuple[int, dict[int, float]]:
    """Return the number of threads to use and the seconds of a step by number of threads.

    Args:
        available: largest number of threads.
        seconds_with: returns the seconds of a step with a number of threads.
        current: kept unless another number is clearly faster.
    """
    best, *others = thread_counts(available)
    seconds = {best: seconds_with(best)}
    for fewer in others:
        seconds[fewer] = seconds_with(fewer)
        if seconds[fewer] > seconds[best]:
            break
        best = fewer
    if current not in seconds:
        seconds[current] = seconds_with(current)
    is_faster = _is_clearly_faster(seconds[best], seconds[current])
    return best if is_faster else current, seconds


def _is_clearly_faster(seconds: float, reference: float) -> bool:
    return seconds * _MIN_SPEEDUP < reference


class ThreadTuner:
    """Sets the number of PyTorch's threads in this process.

    Attributes:
        available: PyTorch's own number of threads.
        is_allowed: the user has not set the number of threads (`OMP_NUM_THREADS`,
            `MKL_NUM_THREADS`).
    """

    def __init__(self) -> None:
        self.available = torch.get_num_threads()
        is_set = any(os.environ.get(f"{name}_NUM_THREADS") for name in ("OMP", "MKL"))
        self.is_allowed = not is_set

    @property
    def is_reduced(self) -> bool:
        """Whether PyTorch uses fewer threads than are available."""
        return torch.get_num_threads() < self.available

    def tune(self, seconds_with: Callable[[int], float]) -> str | None:
        """Set the fastest number of threads.

        Args:
            seconds_with: returns the seconds of a step with a number of threads.

        Returns:
            A message if the number has changed.
        """
        if self.available == 1:
            return None
        before = torch.get_num_threads()
        chosen, seconds = fastest_thread_count(self.available, seconds_with, before)
        torch.set_num_threads(chosen)
        if chosen == before:
            return None
        if chosen == self.available:
            return f"training uses all {chosen} CPU threads again"
        speedup = seconds[self.available] / seconds[chosen]
        return (
            f"training uses {chosen} of {self.available} CPU threads, which is "
            f"{speedup:.1f} times as fast at the moment"
        )
