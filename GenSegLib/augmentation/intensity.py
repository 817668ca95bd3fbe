"""Changes of intensity on batches of normalized images (batch, channel, *shape).

Strengths may be numbers or tensors: every change is differentiable in its strength, so that the
upper level can learn it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Union

import torch

from .axes import along_axes, kept_border, linear_shares
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
    """Smooth with a Gaussian of ``sigma`` voxels, the border kept."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=images.device)
    kernel = torch.softmax(-(offsets.to(images.dtype) ** 2) / (2 * sigma**2), dim=0)
    shape = images.shape[2:]
    matrices = {size: _smoothing(kernel, offsets, size) for size in set(shape)}
    return along_axes(images, [matrices[size] for size in shape])


def _smoothing(kernel: torch.Tensor, offsets: torch.Tensor, size: int) -> torch.Tensor:
    voxels = torch.arange(size, device=offsets.device)[:, None] + offsets
    return kept_border(voxels, kernel.expand(size, -1), size)


def low_resolution(images: torch.Tensor, factor: float) -> torch.Tensor:
    """Sample every ``factor`` voxels and interpolate back, as thicker slices would."""
    shape = images.shape[2:]
    coarse = [max(1, round(size / factor)) for size in shape]
    return _resized(_resized(images, coarse), shape)


def _resized(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Return images, interpolated linearly to a shape of the same field of view."""
    kind = images.dtype, images.device
    sizes = zip(images.shape[2:], shape)
    return along_axes(images, [_resizing(old, new, *kind) for old, new in sizes])


# asked for with the same few sizes in every step
@lru_cache(maxsize=64)
def _resizing(old: int, new: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    centers = torch.arange(new, dtype=dtype, device=device) + 0.5
    return linear_shares(centers * (old / new) - 0.5, old)
