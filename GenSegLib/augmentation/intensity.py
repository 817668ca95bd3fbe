"""Intensity transforms of batches of normalized images (batch, channel, *shape).

Every transform is differentiable in its strength, a number or a tensor, so that the upper level can
learn it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Union

import torch

from .interpolation import apply_along_axes, edge_padded_matrix, linear_weights, smooth_noise
from .random_generator import RandomGenerator

Strength = Union[float, torch.Tensor]


def contrast(
    images: torch.Tensor, strength: Strength, rng: RandomGenerator, joint_channels: int = 1
) -> torch.Tensor:
    """Scale and shift intensities by factors of standard deviation ``strength``.

    Groups of ``joint_channels`` consecutive channels are scaled and shifted alike.
    """
    batch, channels = images.shape[:2]
    shape = (batch, channels // joint_channels, *[1] * (images.ndim - 2))
    scale, shift = rng.normal(*shape), rng.normal(*shape)
    if joint_channels > 1:
        scale, shift = (x.repeat_interleave(joint_channels, dim=1) for x in (scale, shift))
    return images * torch.exp(strength * scale) + strength * shift


def gamma(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Apply a random gamma within each image's range; ``strength`` is the exponent's log-sd."""
    axes = tuple(range(1, images.ndim))
    low = images.amin(dim=axes, keepdim=True)
    span = (images.amax(dim=axes, keepdim=True) - low).clamp_min(1e-6)
    power = torch.exp(strength * rng.normal(images.shape[0], *[1] * (images.ndim - 1)))
    unit = ((images - low) / span).clamp_min(1e-6)
    return unit**power * span + low


def noise(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Add Gaussian noise of a standard deviation sampled from [0, ``strength``)."""
    level = rng.uniform(images.shape[0], *[1] * (images.ndim - 1))
    return images + strength * level * rng.normal(*images.shape)


def bias_field(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Multiply by a smooth field (coil sensitivity in MR) whose log-sd is ``strength``."""
    axes = tuple(range(1, images.ndim))
    low = images.amin(dim=axes, keepdim=True)
    field = smooth_noise(rng, images.shape[0], 1, tuple(images.shape[2:]), points=4)
    return (images - low) * torch.exp(strength * field) + low


def gaussian_blur(images: torch.Tensor, sigma: float | Sequence[float]) -> torch.Tensor:
    """Smooth with a Gaussian of ``sigma`` voxels, or as many per axis, with edge padding."""
    shape = images.shape[2:]
    sigmas = [float(sigma)] * len(shape) if isinstance(sigma, (int, float)) else list(sigma)
    unique = set(zip(shape, sigmas))
    matrices = {key: _blur_matrix(*key, images.dtype, images.device) for key in unique}
    return apply_along_axes(images, [matrices[key] for key in zip(shape, sigmas)])


def _blur_matrix(size: int, sigma: float, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    if sigma == 0:
        return torch.eye(size, dtype=dtype, device=device)
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, device=device)
    kernel = torch.softmax(-(offsets.to(dtype) ** 2) / (2 * sigma**2), dim=0)
    voxels = torch.arange(size, device=device)[:, None] + offsets
    return edge_padded_matrix(voxels, kernel.expand(size, -1), size)


def low_resolution(images: torch.Tensor, factor: float) -> torch.Tensor:
    """Downsample by ``factor`` and interpolate back, as thicker slices would look."""
    shape = images.shape[2:]
    coarse = [max(1, round(size / factor)) for size in shape]
    return _resize(_resize(images, coarse), shape)


def thick_slices(images: torch.Tensor, axis: int, factor: float) -> torch.Tensor:
    """Average over slices of ``factor`` voxels along a spatial axis, and interpolate in between."""
    size = images.shape[2 + axis]
    matrix = _slice_matrix(size, max(1, round(size / factor)), images.dtype, images.device)
    return (images.movedim(2 + axis, -1) @ matrix.T).movedim(-1, 2 + axis)


@lru_cache(maxsize=64)
def _slice_matrix(size: int, count: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    voxels = torch.arange(size, dtype=dtype, device=device)
    edges = torch.arange(count + 1, dtype=dtype, device=device) * (size / count)
    overlap = torch.minimum(voxels + 1, edges[1:, None]) - torch.maximum(voxels, edges[:-1, None])
    average = overlap.clamp_min(0) * (count / size)
    return _resize_matrix(count, size, dtype, device) @ average


def _resize(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Resize linearly; the field of view stays."""
    kind = images.dtype, images.device
    sizes = zip(images.shape[2:], shape)
    return apply_along_axes(images, [_resize_matrix(old, new, *kind) for old, new in sizes])


# called with the same few sizes at every step
@lru_cache(maxsize=64)
def _resize_matrix(old: int, new: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    centers = torch.arange(new, dtype=dtype, device=device) + 0.5
    return linear_weights(centers * (old / new) - 0.5, old)
