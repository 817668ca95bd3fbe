"""Smooth fields from their values at coarse knots.

Linear interpolation between knots is a product with one small matrix along each axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch

from .axes import along_axes, linear_shares
from .randomness import Randomness


def interpolated(knots: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return knots (batch, channel, *knots), interpolated linearly to (batch, channel, *shape).

    The outermost knots lie on the outermost voxels.
    """
    kind = knots.dtype, knots.device
    sizes = zip(knots.shape[2:], shape)
    return along_axes(knots, [_weights(count, size, *kind) for count, size in sizes])


def smooth_noise(
    rng: Randomness, batch: int, channels: int, shape: Sequence[int], knots: int
) -> torch.Tensor:
    """Return noise of unit variance at the knots (batch, channels, *shape), linear in between."""
    return interpolated(rng.normal(batch, channels, *[knots] * len(shape)), shape)


# asked for with the same few sizes in every step
@lru_cache(maxsize=64)
def _weights(knots: int, size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return what each knot has of each voxel (size, knots): hats around the knots."""
    return linear_shares(torch.linspace(0, knots - 1, size, dtype=dtype, device=device), knots)
