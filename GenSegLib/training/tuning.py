"""Choice of CPU threads and memory format for a training, by timing steps of its segmenter.

Nothing is timed if the user has set the number of threads, since other threads and another memory
format change the rounding of results.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import torch

from ..computing.devices import choose_device
from ..computing.memory_format import CHANNELS_LAST
from ..computing.thread_tuning import ThreadTuner, fastest_format, time_step
from ..presets import Preset
from ..runs import RunFolder
from .trial_step import trial_step

_BATCH_SIZE = 2
_MAX_SIDE = 48  # voxels, so that a laptop computes a step in less than a second
_WINDOW_STEPS, _WINDOW_S = 10, 20.0  # minimum of steps and seconds per measurement
_RETRY_S = 60.0  # until all threads are tried again, which takes a second or two
_SLOWDOWN = 2.0  # above the error of the phases' relative costs


class Tuner:
    """Chooses CPU threads and memory format for the training of a run.

    Args:
        run: run folder.
        log: called with a message for each choice that differs from the default.
    """

    def __init__(self, run: RunFolder, log: Callable[[str], None]) -> None:
        self._run, self._log = run, log
        self._threads = ThreadTuner()
        config = run.config
        is_free = self._threads.is_allowed and not config.threads
        self._tuned_at = time.monotonic()
        self._is_enabled = is_free and choose_device(config.device).type == "cpu"

    def tune(self) -> str:
        """Set the fastest number of threads and return the fastest memory format."""
        if not self._is_enabled:
            return CHANNELS_LAST
        seconds = cache(partial(step_seconds, self._run))
        self._tune_threads(partial(seconds, CHANNELS_LAST))
        chosen, speedup = fastest_format(lambda each: seconds(each, torch.get_num_threads()))
        if chosen != CHANNELS_LAST:
            self._log(f"training uses the memory format {chosen}: {speedup:.1f} times as fast")
        return chosen

    @property
    def is_retry_due(self) -> bool:
        """Whether the number of threads was reduced a while ago; the reason may no longer apply."""
        is_old = time.monotonic() - self._tuned_at >= _RETRY_S
        return self._is_enabled and self._threads.is_reduced and is_old

    def retune(self, memory_format: str) -> None:
        """Choose the number of threads again."""
        if self._is_enabled:
            self._tune_threads(partial(step_seconds, self._run, memory_format))

    def _tune_threads(self, seconds_with: Callable[[int], float]) -> None:
        message = self._threads.tune(seconds_with)
        self._tuned_at = time.monotonic()
        if message:
            self._log(message)


class SlowdownDetector:
    """Compares the latest steps of a training with the fastest ones before."""

    def __init__(self) -> None:
        self._fastest: float | None = None
        self._reset()

    def should_retune(self, seconds: float, cost: float) -> bool:
        """Record a step and return whether to choose the threads again.

        That is when steps have become twice as slow, and once after the first ones, since the
        choice from before the preparation of cases may be outdated.

        Args:
            seconds: duration of the step.
            cost: relative cost of the step, see `Schedule`.
        """
        self._steps += 1
        self._seconds += seconds
        self._cost += cost
        if self._steps < _WINDOW_STEPS or self._seconds < _WINDOW_S:
            return False
        pace = self._seconds / self._cost
        self._reset()
        if self._fastest is None or pace > _SLOWDOWN * self._fastest:
            self._fastest = pace
            return True
        self._fastest = min(pace, self._fastest)
        return False

    def _reset(self) -> None:
        self._steps, self._seconds, self._cost = 0, 0.0, 0.0


def step_seconds(run: RunFolder, memory_format: str, threads: int) -> float:
    """Return the seconds of a step of the run's segmenter; sets the number of threads."""
    torch.set_num_threads(threads)
    classes, shape = len(run.labels) + 1, timed_shape(run.preset)
    preset = replace(run.preset, patch_size=shape)
    images = torch.ones(_BATCH_SIZE, preset.input_channels, *shape)
    batch = images, torch.zeros(_BATCH_SIZE, 1, *shape)
    device = torch.device("cpu")
    step = trial_step(preset, run.config, classes, lambda: batch, device, memory_format)
    return time_step(step)


def timed_shape(preset: Preset) -> tuple[int, ...]:
    """Return the size of a small patch that the preset allows and its network can process."""
    shape = []
    for axis, side in enumerate(preset.patch_size):
        steps = preset.network.get("strides", ())
        reduction = math.prod(s if isinstance(s, int) else s[axis] for s in steps)
        least = max(_MAX_SIDE, 2 * reduction)  # normalization needs two voxels at the bottom
        shape.append(min(side, math.ceil(least / preset.multiple) * preset.multiple))
    return tuple(shape)
