"""Signal to noise of gradients over the steps of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch


class GradientSignal:
    """Running mean and variance of gradients, by Welford's method."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = torch.zeros(0)

    def update(self, gradients: Sequence[torch.Tensor]) -> None:
        """Take in the gradients of a step; those of later steps must have the same shapes."""
        values = torch.cat(
            [torch.zeros(0), *(g.detach().float().cpu().flatten() for g in gradients)]
        )
        if self._count == 0:
            self._mean = self._squares = torch.zeros_like(values)
        self._count += 1
        change = values - self._mean
        self._mean = self._mean + change / self._count
        self._squares = self._squares + change * (values - self._mean)

    def ratios(self) -> list[float]:
        """Return each entry's mean divided by its standard error; none before the second step.

        A positive one means that larger values increase the loss.
        """
        if self._count < 2:
            return []
        errors = (self._squares / (self._count - 1)).sqrt().clamp_min(1e-12)
        ratios: list[float] = (self._mean / errors * math.sqrt(self._count)).tolist()
        return ratios

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which :meth:`load_state_dict` continues."""
        return {"count": self._count, "mean": self._mean, "squares": self._squares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from an earlier :meth:`state_dict`."""
        self._count, self._mean, self._squares = state["count"], state["mean"], state["squares"]
