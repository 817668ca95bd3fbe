"""Random shallow networks as an augmentation: other contrasts and textures of the same shapes.

Global intensity non-linear augmentation (Ouyang et al., IEEE Trans Med Imaging 2023): each image
passes through a small convolutional network with random weights, and is mixed with the result.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .random_generator import RandomGenerator

_HIDDEN = 2  # channels per image channel
_KERNELS = (3, 1)
_SLOPE = 0.2


def random_convolutions(
    images: torch.Tensor, rng: RandomGenerator, joint_channels: int = 1
) -> torch.Tensor:
    """Return images (batch, channel, *s) after random networks; mean and sd of each stay.

    Args:
        images: (batch, channel, *s).
        rng: random generator.
        joint_channels: groups of this many channels, such as neighboring slices or colors, pass
            through the same network.
    """
    batch, channels, *shape = images.shape
    dims, groups = len(shape), channels // joint_channels
    convolve = F.conv2d if dims == 2 else F.conv3d
    x = images.reshape(1, -1, *shape)
    widths = (1, _HIDDEN, 1)
    for layer, kernel in enumerate(_KERNELS):
        before, after = widths[layer], widths[layer + 1]
        weights = rng.normal(batch, groups, after, before, *[kernel] * dims)
        weights = weights.repeat_interleave(joint_channels, dim=1).flatten(0, 2)
        x = convolve(x, weights, padding=kernel // 2, groups=batch * channels)
        x = F.leaky_relu(x, _SLOPE) if layer == 0 else x
    mixed = rng.uniform(batch, 1, *[1] * dims)
    axes = tuple(range(2, images.ndim))
    mean, spread = images.mean(axes, keepdim=True), images.std(axes, keepdim=True)
    changed = _standardized(x.reshape(images.shape), axes)
    result = _standardized(
        mixed * changed + (1 - mixed) * (images - mean) / _at_least(spread), axes
    )
    return mean + spread * result


def _standardized(images: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    centered = images - images.mean(axes, keepdim=True)
    return centered / _at_least(centered.std(axes, keepdim=True))


def _at_least(spread: torch.Tensor) -> torch.Tensor:
    return spread.clamp_min(1e-6)
