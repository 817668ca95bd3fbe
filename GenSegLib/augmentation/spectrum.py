"""Exchange of amplitude spectra between images: the shapes of one in the style of another.

The low frequencies of the amplitude spectrum hold contrast and shading, the phase holds the shapes
(Yang and Soatto, "FDA: Fourier domain adaptation", CVPR 2020).
"""

from __future__ import annotations

import torch

from .random_generator import RandomGenerator

_MIN_CUTOFF, _MAX_CUTOFF = 0.01, 0.08  # cycles per voxel, up to which amplitudes are exchanged


def exchange_amplitudes(
    images: torch.Tensor, donors: torch.Tensor, rng: RandomGenerator
) -> torch.Tensor:
    """Return images whose low-frequency amplitudes are mixed with those of others.

    Mean and standard deviation of each channel stay.

    Args:
        images: (batch, channel, *s).
        donors: the same shape.
        rng: random generator.
    """
    batch, dims = len(images), images.ndim - 2
    axes, size = tuple(range(2, images.ndim)), images.shape[2:]
    cutoff = rng.uniform(batch, *[1] * (dims + 1), low=_MIN_CUTOFF, high=_MAX_CUTOFF)
    fraction = rng.uniform(batch, *[1] * (dims + 1))
    own, other = (torch.fft.rfftn(x, dim=axes) for x in (images, donors))
    low = torch.ones((), device=images.device)
    for axis, length in enumerate(size):
        is_last = axis == dims - 1
        frequencies = (torch.fft.rfftfreq if is_last else torch.fft.fftfreq)(length)
        along = [-1 if k == axis else 1 for k in range(dims)]
        low = low * (frequencies.abs().reshape(1, 1, *along).to(images.device) <= cutoff)
    ratio = other.abs() / own.abs().clamp_min(1e-6)
    mixed = torch.fft.irfftn(own * (1 + low * fraction * (ratio - 1)), s=size, dim=axes)
    centered = mixed - mixed.mean(axes, keepdim=True)
    spread = images.std(axes, keepdim=True) / centered.std(axes, keepdim=True).clamp_min(1e-6)
    return images.mean(axes, keepdim=True) + spread * centered
