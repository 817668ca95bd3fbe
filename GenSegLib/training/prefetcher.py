"""Sampling of the next batch in the background, beside the current step.

Cases on disk are read, decoded and transferred meanwhile. Batches are the same as without
prefetching, since nothing else uses the training's random generator between two steps; a discarded
batch restores the generator's state. All batches are sampled by the same thread, on one core: the
number of cores can change the rounding of results.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch

from ..augmentation.random_generator import RandomGenerator

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class _Pending:
    sample: Callable[[], Any]
    batch: Future[Any]
    random_state: torch.Tensor  # before sampling


class Prefetcher:
    """Returns batches and samples the next one in the background.

    Args:
        rng: random generator of the batches; only used in steps and here.
        enabled: if False, each batch is sampled when it is requested.
    """

    def __init__(self, rng: RandomGenerator, *, enabled: bool) -> None:
        self._rng, self._enabled = rng, enabled
        self._pending: _Pending | None = None
        # the number of threads is a setting of each thread
        self._worker = ThreadPoolExecutor(1, "prefetch", partial(torch.set_num_threads, 1))

    def next(self, sample: Callable[[], Batch]) -> Batch:
        """Return a batch, and start to sample the next one by the same function.

        An exception in the background is raised when its batch is requested.
        """
        if not self._enabled:
            return sample()
        if self._pending is None or self._pending.sample != sample:
            self.discard()
            self._start(sample)
        assert self._pending is not None
        batch: Batch = self._pending.batch.result()
        self._pending = None
        self._start(sample)
        return batch

    def _start(self, sample: Callable[[], Any]) -> None:
        state = self.random_state()
        self._pending = _Pending(sample, self._worker.submit(sample), state)

    def discard(self) -> None:
        """Discard the batch in the background and restore the random generator."""
        if self._pending is not None:
            self._pending.batch.exception()  # waits
            self._rng.generator.set_state(self._pending.random_state)
            self._pending = None

    def random_state(self) -> torch.Tensor:
        """Return the state of the random generator from which the next batch is sampled."""
        if self._pending is not None:
            return self._pending.random_state
        state: torch.Tensor = self._rng.generator.get_state()
        return state
