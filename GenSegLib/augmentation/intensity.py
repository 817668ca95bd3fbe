"""Changes of intensity on batches of normalized images (batch, channel, *shape).

Strengths may be numbers or tensors: every change is differentiable in its strength, so that the
upper level can learn it.
"""

from __future__ import annotations

from typing import Union

import torch
import torch.nn.functional as F

from .knots import smooth_noise
from .randomness import Randomness

Strength = Union[float, torch.Tensor]


def contrast(images: torch.Tensor, strength: Strength, rng: Randomness) -> torch.Tensor:
    """Scale and shift intensities by factors of standard deviation ``strength``."""
    shape = (images.shape[0], images.shape[1], *[1] * (images.ndim - 2))
    return images * torch.exp(strength * rng.normal(*shape)) + strength * rng.normal(*shape)


def gamma(images: torch.Tensor, strength: Strength, rng: Randomness) -> torch.Tensor:
    """Raise the range of each image to a random power; ``strength`` is the exponent's log-sd."""
    axes = tuple(range(1, images.ndim))
    low = images.amin(dim=axes, keepdim=True)
    span = (images.amax(dim=axes, keepdim=True) - low).clamp_min(1e-6)
    power = torch.exp(strength * rng.normal(images.shape[0], *[1] * (images.ndim - 1)))
    unit = ((images - low) / span).clamp_min(1e-6)
    return unit**power * span + low


def noise(images: torch.Tensor, strength: Strength, rng: Randomness) -> torch.Tensor:
    """Add Gaussian noise; its level is drawn below ``strength``."""
    level = rng.uniform(images.shape[0], *[1] * (images.ndim - 1))
    return images + strength * level * rng.normal(*images.shape)


def bias_field(images: torch.Tensor, strength: Strength, rng: Randomness) -> torch.Tensor:
    """Multiply by a smooth field (the coil's sensitivity in MR) of log-sd ``strength``."""
    axes = tuple(range(1, images.ndim))
    low = images.amin(dim=axes, keepdim=True)
    field = smooth_noise(rng, images.shape[0], 1, tuple(images.shape[2:]), knots=4)
    return (images - low) * torch.exp(strength * field) + low


def gaussian_blur(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """Smooth with a Gaussian of ``sigma`` voxels, one axis at a time."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = torch.softmax(-(offsets**2) / (2 * sigma**2), dim=0)
    dims = images.ndim - 2
    flat = images.reshape(-1, 1, *images.shape[2:])
    convolve = F.conv3d if dims == 3 else F.conv2d
    for axis in range(dims):
        shape = [1] * dims
        shape[axis] = -1
        padding = [0] * (2 * dims)
        padding[2 * (dims - 1 - axis)] = padding[2 * (dims - 1 - axis) + 1] = radius
        flat = convolve(F.pad(flat, padding, mode="replicate"), kernel.reshape(1, 1, *shape))
    return flat.reshape(images.shape)


def low_resolution(images: torch.Tensor, factor: float) -> torch.Tensor:
    """Sample every ``factor`` voxels and interpolate back, as thicker slices would."""
    shape = images.shape[2:]
    mode = "trilinear" if len(shape) == 3 else "bilinear"
    coarse = [max(1, round(size / factor)) for size in shape]
    small = F.interpolate(images, size=coarse, mode=mode, align_corners=False)
    return F.interpolate(small, size=shape, mode=mode, align_corners=False)
