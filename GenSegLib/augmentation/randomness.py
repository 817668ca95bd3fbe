"""Random draws from one explicit generator, the same on every device."""

from __future__ import annotations

import torch


class Randomness:
    """Draws on the CPU and moves to the device, so that CPU and GPU see the same numbers."""

    def __init__(self, generator: torch.Generator, device: torch.device | str = "cpu") -> None:
        self.generator = generator
        self.device = torch.device(device)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Return uniform numbers in [low, high) of the given shape."""
        drawn = torch.rand(*shape, generator=self.generator)
        return (low + (high - low) * drawn).to(self.device)

    def normal(self, *shape: int) -> torch.Tensor:
        """Return standard normal numbers of the given shape."""
        return torch.randn(*shape, generator=self.generator).to(self.device)

    def gate(self, batch: int, probability: float, dims: int) -> torch.Tensor:
        """Return a 0/1 tensor of shape (batch, 1, 1, ...) that switches a change on per sample."""
        drawn = torch.rand(batch, generator=self.generator) < probability
        return drawn.float().to(self.device).reshape(batch, *[1] * (dims + 1))

    def integers(self, high: int, count: int) -> list[int]:
        """Return ``count`` integers in [0, high)."""
        drawn: list[int] = torch.randint(high, (count,), generator=self.generator).tolist()
        return drawn
