"""How a training computes on a CPU, chosen by timing a step of its segmenter before it begins.

Whoever gives the number of threads, or asks for determinism, wants the same result again: then
nothing is timed, since other threads and another memory format round sums another way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import torch

from ..computing.devices import choose_device, choose_precision, to_device
from ..computing.memory_format import CHANNELS_LAST, fitting_format, laid_out
from ..computing.threads import Threads
from ..computing.trials import seconds_of
from ..networks import build_segmenter, segmenter_args
from ..runs import RunFolder
from .losses import segmentation_loss

_SAMPLES = 2
_LONGEST = 48  # voxels a side: what a laptop computes in less than a second


class Tuning:
    """Chooses CPU threads and memory format for the training of a run.

    Args:
        run: the run folder.
        tell: is told in one line what was chosen, where that is not the usual.
    """

    def __init__(self, run: RunFolder, tell: Callable[[str], None]) -> None:
        self._run, self._tell = run, tell
        self._threads = Threads()
        config = run.config
        is_asked = self._threads.are_free and not (config.threads or config.deterministic)
        self._may_time = is_asked and choose_device(config.device).type == "cpu"

    def choose(self) -> str:
        """Let PyTorch take as many threads as are fastest; return the fastest memory format."""
        if not self._may_time:
            return CHANNELS_LAST
        seconds = cache(partial(seconds_of_a_step, self._run))
        self._choose_threads(partial(seconds, CHANNELS_LAST))
        chosen, gain = fitting_format(lambda each: seconds(each, torch.get_num_threads()))
        if chosen != CHANNELS_LAST:
            self._tell(f"trains with {chosen} in memory: {gain:.1f} times as fast")
        return chosen

    @property
    def may_take_more(self) -> bool:
        """Whether fewer threads were chosen: what was in the way may be over."""
        return self._may_time and self._threads.are_fewer

    def look_again(self, memory_format: str) -> None:
        """Choose the threads anew."""
        if self._may_time:
            self._choose_threads(partial(seconds_of_a_step, self._run, memory_format))

    def _choose_threads(self, seconds_with: Callable[[int], float]) -> None:
        told = self._threads.choose(seconds_with)
        if told:
            self._tell(told)


def seconds_of_a_step(run: RunFolder, memory_format: str, threads: int) -> float:
    """Return the seconds of a step of the run's segmenter; PyTorch keeps this many threads."""
    torch.set_num_threads(threads)
    return seconds_of(rehearsal(run, memory_format))


def rehearsal(run: RunFolder, memory_format: str) -> Callable[[], None]:
    """Return what computes such a segmenter's gradient on made-up samples on the CPU."""
    preset, device = run.preset, torch.device("cpu")
    shape = [min(side, _LONGEST) for side in preset.patch_size]
    classes, name = len(run.labels) + 1, run.config.segmenter
    arguments = segmenter_args(name, preset.channels, classes, preset.spatial_dims, shape)
    with torch.random.fork_rng(devices=()):
        segmenter = build_segmenter(name, arguments)
    to_device(segmenter, device, memory_format)
    images = laid_out(torch.ones(_SAMPLES, preset.channels, *shape), memory_format)
    labels = torch.zeros(_SAMPLES, 1, *shape)
    autocast = choose_precision(device, run.config.precision)

    def step() -> None:
        with autocast():
            logits = segmenter(images)
        segmentation_loss(logits, labels).backward()
        segmenter.zero_grad()

    return step
