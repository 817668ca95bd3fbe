"""Draws the next batch while a graphics card computes the step on the present one.

Cases on disk are read, decoded and sent to the card meanwhile. What is drawn is the same to the bit
as without, since nothing else draws from the training's random numbers between two steps; a batch
that is not wanted after all is forgotten, and its random numbers are given back.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from ..augmentation.randomness import Randomness

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class _Begun:
    """A batch that is being drawn: by what, and the random numbers' state before."""

    draw: Callable[[], Any]
    batch: Future[Any]
    before: torch.Tensor


class DrawingAhead:
    """Gives batches, the next of which is drawn in the background.

    Args:
        rng: what batches are drawn from, in steps alone and here alone.
        is_on: otherwise each batch is drawn when it is asked for.
    """

    def __init__(self, rng: Randomness, *, is_on: bool) -> None:
        self._rng, self._is_on = rng, is_on
        self._begun: _Begun | None = None
        self._worker = ThreadPoolExecutor(1, "drawing ahead")

    def take(self, draw: Callable[[], Drawn]) -> Drawn:
        """Return a batch, and begin to draw the next one in the same way.

        What goes wrong in the background is raised here, when that batch is asked for.
        """
        if self._begun is not None and self._begun.draw == draw:
            batch: Drawn = self._begun.batch.result()
            self._begun = None
        else:
            self.forget()
            batch = draw()
        if self._is_on:
            before = self.random_state()
            self._begun = _Begun(draw, self._worker.submit(draw), before)
        return batch

    def forget(self) -> None:
        """Give up the batch in the background, as if it had never been begun."""
        if self._begun is not None:
            self._begun.batch.exception()  # waits
            self._rng.generator.set_state(self._begun.before)
            self._begun = None

    def random_state(self) -> torch.Tensor:
        """Return the state of the random numbers from which the next batch comes."""
        begun = self._begun
        state: torch.Tensor = begun.before if begun else self._rng.generator.get_state()
        return state
