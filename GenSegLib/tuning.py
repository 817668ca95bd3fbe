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

    Attributes:
        threads: those of this process.
    """

    def __init__(self, config: TrainConfig, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.threads = Threads()
        self._is_asked = self.threads.are_free and not (config.threads or config.deterministic)

    def choose_threads(self, learner: Learner) -> None:
        """Let PyTorch take as many as the learner's segmenter is fastest with."""
        if not self._may_time(learner):
            return
        told = self.threads.choose(rehearsal(learner, learner.memory_format))
        if told:
            self._tell(told)

    def choose_format(self, learner: Learner) -> None:
        """Lay the learner's segmenter out as it is fastest."""
        if not self._may_time(learner):
            return
        chosen, gain = fitting_format(lambda each: rehearsal(learner, each))
        if chosen != learner.memory_format:
            self._tell(f"trains with {chosen} in memory: {gain:.1f} times as fast")
            learner.lay_out(chosen)

    def _may_time(self, learner: Learner) -> bool:
        return self._is_asked and learner.device.type == "cpu"


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
