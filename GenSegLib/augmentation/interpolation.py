"""Volumes between their voxels.

Linear interpolation between voxels blurs: what was moved is smoother than what a segmenter is asked
about later, and moved masks shrink. Linear between voxels and midpoints it keeps more of both
(``Testing/Benchmarks/interpolation_loss.py``).
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F

from .axes import along_axes, kept_border

REACH = 3  # voxels to either side that a midpoint depends on
_CHANNELS = 4


def sample(volume: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Return ``volume`` (batch, channel, *shape) at ``grid`` (batch, *out, dims), borders kept."""
    return F.grid_sample(volume, grid, padding_mode="border", align_corners=True)


def sample_finely(volume: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Return `sample` of a volume with midpoints; one volume serves any number of grids.

    A few channels at a time, since midpoints take eight times the memory.
    """
    parts = volume.split(_CHANNELS, dim=1)
    return torch.cat([FineVolume(part).at(grid) for part in parts], dim=1)


class FineVolume:
    """A volume (batch, channel, *shape) with its midpoints, to be sampled often."""

    def __init__(self, volume: torch.Tensor) -> None:
        axes = tuple(range(2, volume.ndim))
        self._low = volume.amin(dim=axes, keepdim=True)
        self._high = volume.amax(dim=axes, keepdim=True)
        self._finer = with_midpoints(volume)

    def at(self, grid: torch.Tensor) -> torch.Tensor:
        """Return it at ``grid`` (batch, *out, dims), each channel within the range of its voxels.

        So a window of HU remains one, though midpoints beside edges leave it.
        """
        finer = self._finer.expand(len(grid), *self._finer.shape[1:])
        return sample(finer, grid).clamp_(self._low, self._high)


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
    weights = kept_border(voxels.long(), shares / shares.sum(1, keepdim=True), size)
    return weights.to(device, dtype)
