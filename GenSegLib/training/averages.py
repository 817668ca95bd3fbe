"""Exponential moving averages of weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class Average:
    """The moving average of a list of tensors, which follows quickly at the start.

    Args:
        tensors: what is averaged; the average starts there.
        decay: the share of the old average that a step keeps, once warm.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], decay: float) -> None:
        self.tensors = [tensor.detach().clone() for tensor in tensors]
        self.decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, tensors: Sequence[torch.Tensor]) -> None:
        """Move the average towards the tensors."""
        self.steps += 1
        decay = min(self.decay, self.steps / (self.steps + 9))
        torch._foreach_lerp_(self.tensors, [t.detach() for t in tensors], 1 - decay)

    def state(self) -> dict[str, object]:
        """Return what :meth:`restore` takes."""
        return {"tensors": self.tensors, "steps": self.steps}

    def restore(self, state: dict[str, object]) -> None:
        """Continue from an earlier :meth:`state`."""
        kept: list[torch.Tensor] = state["tensors"]  # type: ignore[assignment]
        # A checkpoint is read into main memory, whatever device the training computes on.
        self.tensors = [t.to(own.device, copy=True) for t, own in zip(kept, self.tensors)]
        self.steps = int(state["steps"])  # type: ignore[call-overload]
