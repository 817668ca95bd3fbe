"""How many CPU threads a training computes on: measured.

PyTorch takes a thread a core. That is too many where other programs compute as well (all threads
wait for the one that shares its core), where cores differ (a laptop's slow ones hold up the fast
ones) and where a network is small. So a step is timed with all of them, with half, and so on for as
long as fewer are faster.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from . import distributed
from .trials import is_clearly_faster


def halvings(most: int) -> list[int]:
    """Return a number of threads, half of it, and so on down to one."""
    return [most >> times for times in range(most.bit_length())]


def fitting_threads(
    most: int, seconds_with: Callable[[int], float], now: int
) -> tuple[int, dict[int, float]]:
    """Return the number of threads to take, and the seconds by each number that was tried.

    Args:
        most: the largest number.
        seconds_with: gives the seconds of a step with a number of threads.
        now: the number that is kept unless another is clearly faster.
    """
    best, *others = halvings(most)
    seconds = {best: seconds_with(best)}
    for fewer in others:
        seconds[fewer] = seconds_with(fewer)
        if seconds[fewer] > seconds[best]:
            break
        best = fewer
    if now not in seconds:
        seconds[now] = seconds_with(now)
    return best if is_clearly_faster(seconds[best], seconds[now]) else now, seconds


class Threads:
    """Chooses how many threads PyTorch takes in this process.

    Attributes:
        most: how many PyTorch takes by itself.
        are_free: whether nobody chose: no user by `OMP_NUM_THREADS` or `MKL_NUM_THREADS`, and no
            torchrun.
    """

    def __init__(self) -> None:
        self.most = torch.get_num_threads()
        named = any(os.environ.get(f"{of}_NUM_THREADS") for of in ("OMP", "MKL"))
        self.are_free = not named and distributed.count() == 1

    @property
    def are_fewer(self) -> bool:
        """Whether PyTorch takes fewer than it would by itself."""
        return torch.get_num_threads() < self.most

    def choose(self, seconds_with: Callable[[int], float]) -> str | None:
        """Let PyTorch take as many as a step is fastest with.

        Args:
            seconds_with: gives the seconds of a step with a number of threads.

        Returns:
            What to tell the user where that is another number than before.
        """
        if self.most == 1:
            return None
        before = torch.get_num_threads()
        chosen, seconds = fitting_threads(self.most, seconds_with, before)
        torch.set_num_threads(chosen)
        if chosen == before:
            return None
        if chosen == self.most:
            return f"trains on all {chosen} CPU threads again"
        gain = seconds[self.most] / seconds[chosen]
        return (
            f"trains on {chosen} of {self.most} CPU threads: {gain:.1f} times as fast at the "
            f"moment (--threads {self.most} takes all of them)"
        )
