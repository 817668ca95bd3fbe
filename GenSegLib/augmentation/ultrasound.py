"""Speckle and time gain of ultrasound images (batch, channel, *shape); depth is the last axis.

Every transform is differentiable in its strength.
"""

from __future__ import annotations

import torch

from .intensity import Strength, gaussian_blur
from .interpolation import smooth_noise
from .random_generator import RandomGenerator

_SPECKLE_VOXELS = 0.7  # sigma of the speckle's grain
_GAIN_POINTS = 5  # along the depth


def speckle(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Multiply by grainy noise of a relative standard deviation sampled from [0, ``strength``)."""
    low = _lowest(images)
    level = rng.uniform(len(images), *[1] * (images.ndim - 1))
    grain = gaussian_blur(rng.normal(len(images), 1, *images.shape[2:]), _SPECKLE_VOXELS)
    grain = grain / grain.std().clamp_min(1e-6)
    return (images - low) * (1 + strength * level * grain).clamp_min(0) + low


def time_gain(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Multiply by a smooth gain along the depth, whose logarithm has the sd ``strength``."""
    low = _lowest(images)
    profile = smooth_noise(rng, len(images), 1, images.shape[-1:], points=_GAIN_POINTS)
    profile = profile.reshape(len(images), 1, *[1] * (images.ndim - 3), -1)
    return (images - low) * torch.exp(strength * profile) + low


def _lowest(images: torch.Tensor) -> torch.Tensor:
    return images.amin(dim=tuple(range(1, images.ndim)), keepdim=True)
