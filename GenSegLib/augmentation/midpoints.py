"""Values halfway between voxels, so that a moved image keeps more of its detail.

Linear interpolation between voxels blurs: what was moved is smoother than what a segmenter is asked
about later. Between voxels and midpoints it blurs about half as much.
"""

from __future__ import annotations

from functools import lru_cache

import torch

from .axes import along_axes

REACH = 3  # voxels to either side that a midpoint depends on


def with_midpoints(volume: torch.Tensor) -> torch.Tensor:
    """Return a volume (batch, channel, *n) with its midpoints (batch, channel, *2 n - 1).

    The corners stay where they are, so that a grid samples either. Beside edges midpoints may
    leave the range of the voxels by a tenth of it.
    """
    kind = volume.dtype, volume.device
    return along_axes(volume, [_weights(size, *kind) for size in volume.shape[2:]])


# asked for with the same few sizes in every step
@lru_cache(maxsize=64)
def _weights(size: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return what each voxel has of each place (2 size - 1, size): Lanczos' windowed sinc."""
    places = torch.arange(2 * size - 1) / 2
    voxels = places.floor()[:, None] + torch.arange(1 - REACH, 1 + REACH)
    away = places[:, None] - voxels
    shares = torch.sinc(away) * torch.sinc(away / REACH)
    shares = torch.where(places[:, None] == places[:, None].floor(), away == 0, shares)
    weights = torch.zeros(len(places), size)
    # the border is kept, as in `sample`
    weights.scatter_add_(1, voxels.clamp(0, size - 1).long(), shares / shares.sum(1, keepdim=True))
    return weights.to(device, dtype)
