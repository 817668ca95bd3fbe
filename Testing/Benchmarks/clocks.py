"""Measuring ways of doing the same thing, one after the other and again, on a machine that is busy.

Seconds on a CPU are those that this process computed in, so that what others do there counts as
little as it may; on a CUDA card they pass until the card is done.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch


def seconds_of(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that a piece of work takes."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        start = time.perf_counter()
        work()
        torch.cuda.synchronize(device)
        return time.perf_counter() - start
    start = time.process_time()
    work()
    return time.process_time() - start


def interleaved(
    ways: Mapping[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, float]:
    """Return the median seconds of each way; the first round warms up and does not count."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, work in ways.items():
            found[name].append(seconds_of(work, device))
    return {name: statistics.median(values[1:]) for name, values in found.items()}
