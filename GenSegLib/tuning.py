"""How a training computes on a CPU, chosen by timing a step of its segmenter.

Whoever gives the number of threads, or asks for determinism, wants the same result again: then
nothing is timed, since other threads and another memory format round sums another way.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from .config import TrainConfig
from .devices import to_device
from .learner import Learner
from .losses import segmentation_loss
from .memory_format import fitting_format, laid_out
from .networks import build_segmenter
from .threads import Threads


class Tuning:
    """Chooses CPU threads and memory format for a training.

    Args:
        config: the settings of the training.
        tell: is told in one line what was chosen, where that is not the usual.
    """

    def __init__(self, config: TrainConfig, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._threads = Threads()
        self._is_asked = self._threads.are_free and not (config.threads or config.deterministic)

    def choose(self, learner: Learner) -> None:
        """Choose both, at the start."""
        if self._is_asked and learner.device.type == "cpu":
            self._choose_threads(learner)
            self._choose_format(learner)

    def look_again(self, learner: Learner) -> None:
        """Choose the threads anew where they are fewer: what was in the way may be over."""
        if self._is_asked and learner.device.type == "cpu" and self._threads.are_fewer:
            self._choose_threads(learner)

    def _choose_threads(self, learner: Learner) -> None:
        told = self._threads.choose(rehearsal(learner, learner.memory_format))
        if told:
            self._tell(told)

    def _choose_format(self, learner: Learner) -> None:
        chosen, gain = fitting_format(lambda each: rehearsal(learner, each))
        if chosen != learner.memory_format:
            self._tell(f"trains with {chosen} in memory: {gain:.1f} times as fast")
            learner.lay_out(chosen)


def rehearsal(learner: Learner, memory_format: str) -> Callable[[], None]:
    """Return what computes such a segmenter's gradient on made-up samples; nothing changes."""
    with torch.random.fork_rng(devices=()):
        segmenter = build_segmenter(learner.config.segmenter, learner.arguments)
    to_device(segmenter, learner.device, memory_format)
    batch = learner.problem.micro_batch or learner.config.batch_size
    shape, device = learner.patch_size, learner.device
    images = torch.ones(batch, learner.arguments["in_channels"], *shape, device=device)
    images = laid_out(images, memory_format)
    labels = torch.zeros(batch, 1, *shape, device=device)

    def step() -> None:
        with learner.problem.autocast():
            logits = segmenter(images)
        segmentation_loss(logits, labels).backward()
        segmenter.zero_grad()

    return step
