"""How many CPU threads a training computes on: measured at its start.

PyTorch takes a thread a core. That is too many where other programs compute as well (all threads
wait for the one that shares its core), where cores differ (a laptop's slow ones hold up the fast
ones) and where a network is small. So a step of the segmenter is timed with all of them, with half,
and so on for as long as fewer are faster.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch

from . import distributed
from .learner import Learner
from .losses import segmentation_loss
from .problem import dense

_GAIN = (
    1.2  # fewer threads must be so much faster: noise alone is not to change a result's rounding
)
_TRIALS = 3
_PATIENCE_S = 1.0  # enough trials with one number of threads


def fitting_threads(
    most: int, seconds_with: Callable[[int], float]
) -> tuple[int, dict[int, float]]:
    """Return the number of threads to take, and the seconds by each number that was tried.

    Args:
        most: the number that is taken unless fewer are clearly faster.
        seconds_with: gives the seconds of a step with a number of threads.
    """
    seconds = {most: seconds_with(most)}
    best = most
    while best > 1:
        fewer = best // 2
        seconds[fewer] = seconds_with(fewer)
        if seconds[fewer] > seconds[best]:
            break
        best = fewer
    return best if seconds[best] * _GAIN < seconds[most] else most, seconds


def choose_threads(learner: Learner) -> str | None:
    """Let PyTorch take as many threads as this learner's steps are fastest with.

    Nothing of the learner changes. Where somebody chose already (the settings, the environment,
    torchrun), where the same result is asked for each time, or on a card, nothing does at all.

    Returns:
        What to tell the user where that is not what PyTorch takes by itself.
    """
    most = torch.get_num_threads()
    if most == 1 or not _are_free(learner):
        return None
    chosen, seconds = fitting_threads(most, partial(_seconds_with, _step(learner)))
    torch.set_num_threads(chosen)
    if chosen == most:
        return None
    gain = seconds[most] / seconds[chosen]
    threads = "1 thread" if chosen == 1 else f"{chosen} threads"
    return (
        f"computes on {threads}: {gain:.1f} times as fast as on {most}; "
        f"--threads {most} takes {most} all the same"
    )


def _are_free(learner: Learner) -> bool:
    config = learner.config
    told = config.threads or config.deterministic or distributed.count() > 1
    told = told or any(os.environ.get(f"{of}_NUM_THREADS") for of in ("OMP", "MKL"))
    return learner.device.type == "cpu" and not told


def _step(learner: Learner) -> Callable[[], None]:
    """Return what computes the gradient of the segmenter's copy, on a batch that stays the same."""
    segmenter, batch = deepcopy(learner.problem.segmenter), learner.config.batch_size
    images = dense(torch.ones(batch, learner.arguments["in_channels"], *learner.patch_size))
    labels = torch.zeros(batch, 1, *learner.patch_size)

    def step() -> None:
        with learner.problem.autocast():
            logits = segmenter(images)
        segmentation_loss(logits, labels).backward()
        segmenter.zero_grad()

    return step


def _seconds_with(step: Callable[[], None], threads: int) -> float:
    torch.set_num_threads(threads)
    step()
    began, seconds = time.perf_counter(), list[float]()
    while len(seconds) < _TRIALS and time.perf_counter() - began < _PATIENCE_S:
        at = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - at)
    return min(seconds)
