"""Color changes of batches of images (batch, 3 * slices, *shape), as light and cameras make them.

The channels are red, green and blue, the slices of each in order. All colors of an image change
together, by one linear map. Every transform is differentiable in its strength.
"""

from __future__ import annotations

import torch

from .intensity import Strength
from .random_generator import RandomGenerator

_COLORS = 3
_TINT = 0.5  # of green and magenta, relative to red and blue


def saturation(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Scale the distance of colors from gray by a factor of log-sd ``strength``."""
    colors = images.unflatten(1, (_COLORS, -1))
    gray = colors.mean(1, keepdim=True)
    factor = torch.exp(strength * rng.normal(len(images), *[1] * (colors.ndim - 1)))
    return (gray + factor * (colors - gray)).flatten(1, 2)


def hue(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Rotate colors about the gray axis by an angle of standard deviation ``strength`` radians."""
    colors = images.unflatten(1, (_COLORS, -1))
    angle = strength * rng.normal(len(images), *[1] * (colors.ndim - 1))
    gray = colors.mean(1, keepdim=True)
    across = (colors.roll(1, 1) - colors.roll(2, 1)) / _COLORS**0.5  # gray axis x color
    rotated = gray + torch.cos(angle) * (colors - gray) + torch.sin(angle) * across
    return rotated.flatten(1, 2)


def white_balance(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Change the color of the light: gains of red against blue, and half as much of green."""
    colors = images.unflatten(1, (_COLORS, -1))
    low = colors.amin(dim=tuple(range(1, colors.ndim)), keepdim=True)
    warm, tint = rng.normal(2, len(images), 1)
    gains = torch.cat([warm - _TINT * tint / 2, _TINT * tint, -warm - _TINT * tint / 2], dim=1)
    gains = torch.exp(strength * gains).reshape(-1, _COLORS, *[1] * (colors.ndim - 2))
    return ((colors - low) * gains + low).flatten(1, 2)
