"""A made-up case for tests of regions: a bright organ in three tissues."""

from __future__ import annotations

import torch

from GenSegLib.data.training_case import InMemoryCase

TISSUES = (-1.0, 0.0, 0.6)
ORGAN = 1.5


def made_up_case(
    shape: tuple[int, ...] = (40, 32, 6), channels: int = 1, noise: float = 0.05
) -> InMemoryCase:
    """Air, muscle and fat along the first axis, an organ (class 1) in the middle."""
    generator = torch.Generator().manual_seed(0)
    tissue = torch.linspace(0, len(TISSUES) - 1e-3, shape[0]).long()
    image = torch.tensor(TISSUES)[tissue].reshape(-1, *[1] * (len(shape) - 1)).expand(shape)
    label = torch.zeros(shape, dtype=torch.long)
    label[tuple(slice(3 * n // 8, 5 * n // 8) for n in shape[:2])] = 1
    image = torch.where(label > 0, torch.tensor(ORGAN), image)
    image = image + noise * torch.randn(channels, *shape, generator=generator)
    return InMemoryCase("made up", image, label, (1.0,) * len(shape))
