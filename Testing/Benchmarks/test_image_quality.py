"""How real and how diverse volumes are: what the figures mean at their ends."""

from __future__ import annotations

import pytest
import torch
from image_quality import similarity, standardized


def noise(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4, 1, 32, 32, 32, generator=generator) * 30 + 100


def test_volumes_are_compared_without_their_brightness_and_range() -> None:
    volumes = standardized(noise(0))
    assert volumes.mean(dim=(1, 2, 3, 4)).abs().max() < 1e-5
    assert torch.allclose(volumes.std(dim=(1, 2, 3, 4)), torch.ones(4), atol=1e-5)


def test_volumes_that_are_all_the_same_are_fully_alike() -> None:
    one = standardized(noise(0))[:1]
    assert similarity(one.expand(4, 1, 32, 32, 32), seed=0) == pytest.approx(1, abs=1e-4)


def test_volumes_of_noise_are_hardly_alike() -> None:
    assert similarity(standardized(noise(0)), seed=0) < 0.25
