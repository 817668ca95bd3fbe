"""Random numbers from one explicit generator, the same on every device."""

from __future__ import annotations

import torch


class RandomGenerator:
    """Samples on the CPU and moves the result to a device, so that CPU and GPU runs agree."""

    def __init__(self, seed: int, device: torch.device | str = "cpu") -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.device = torch.device(device)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> torch.Tensor:
        """Return uniform numbers in [low, high) of the given shape."""
        sampled = torch.rand(*shape, generator=self.generator)
        return (low + (high - low) * sampled).to(self.device)

    def normal(self, *shape: int) -> torch.Tensor:
        """Return standard normal numbers of the given shape."""
        return torch.randn(*shape, generator=self.generator).to(self.device)

    def bernoulli(self, batch: int, probability: float, dims: int) -> torch.Tensor:
        """Return 0 or 1 for each sample, of shape (batch, 1, *[1] * dims)."""
        sampled = torch.rand(batch, generator=self.generator) < probability
        return sampled.float().to(self.device).reshape(batch, *[1] * (dims + 1))

    def integers(self, high: int, count: int) -> list[int]:
        """Return ``count`` integers in [0, high)."""
        sampled: list[int] = torch.randint(high, (count,), generator=self.generator).tolist()
        return sampled
