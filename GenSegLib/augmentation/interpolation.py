"""Interpolation of volumes and of smooth fields.

What is separable is a product with one small matrix along each axis, midpoints a sum of shifted
copies. On a CPU that takes a third of the time of PyTorch's interpolation or less, and its gradient
is deterministic on GPUs, too.

Linear interpolation between voxels blurs images and shrinks masks. Linear interpolation between
voxels and midpoints (windowed sinc) keeps more of both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F

from .random_generator import RandomGenerator

REACH = 3  # voxels on either side that a midpoint depends on
_CHANNELS = 4


def _lanczos_weights() -> list[float]:
    """Return the weights of the voxels around a midpoint: a Lanczos kernel."""
    offsets = torch.arange(0.5 - REACH, REACH)
    weights = torch.sinc(offsets) * torch.sinc(offsets / REACH)
    normalized: list[float] = (weights / weights.sum()).tolist()
    return normalized


_MIDPOINT_WEIGHTS = _lanczos_weights()


def apply_along_axes(field: torch.Tensor, matrices: Sequence[torch.Tensor]) -> torch.Tensor:
    """Multiply a field (batch, channel, *old) by one matrix (new, old) along each axis."""
    for axis, matrix in reversed(list(enumerate(matrices, 2))):
        before, after = field.shape[:axis], field.shape[axis + 1 :]
        if after:
            lines = field.reshape(math.prod(before), -1, math.prod(after))
            field = matrix @ lines
        else:
            field = field.reshape(math.prod(before), -1) @ matrix.T
        field = field.reshape(*before, len(matrix), *after)
    return field


def linear_weights(positions: torch.Tensor, count: int) -> torch.Tensor:
    """Return the matrix (positions, count) of linear interpolation between ``count`` voxels.

    Positions beyond the border take the value of the border.
    """
    voxels = torch.arange(count, dtype=positions.dtype, device=positions.device)
    return (1 - (positions.clamp(0, count - 1)[:, None] - voxels).abs()).clamp_min(0)


def edge_padded_matrix(voxels: torch.Tensor, weights: torch.Tensor, count: int) -> torch.Tensor:
    """Return the matrix (positions, count) of weights (positions, taps) of voxel indices.

    Indices beyond the border count as the border.
    """
    matrix = weights.new_zeros(len(voxels), count)
    return matrix.scatter_add_(1, voxels.clamp(0, count - 1), weights)


def sample(volume: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Sample ``volume`` (batch, channel, *shape) linearly at ``grid`` (batch, *out, dims)."""
    return F.grid_sample(volume, grid, padding_mode="border", align_corners=True)


def sample_with_midpoints(volume: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Sample like `sample`, with midpoints; a single volume is broadcast over the grids.

    A few channels at a time, since midpoints take eight times the memory.
    """
    parts = volume.split(_CHANNELS, dim=1)
    return torch.cat([MidpointVolume(part).at(grid) for part in parts], dim=1)


class MidpointVolume:
    """A volume (batch, channel, *shape) with precomputed midpoints, for repeated sampling."""

    def __init__(self, volume: torch.Tensor) -> None:
        axes = tuple(range(2, volume.ndim))
        self._low = volume.amin(dim=axes, keepdim=True)
        self._high = volume.amax(dim=axes, keepdim=True)
        self._finer = with_midpoints(volume)

    def at(self, grid: torch.Tensor) -> torch.Tensor:
        """Sample at ``grid`` (batch, *out, dims), clipped to the range of each channel's voxels.

        Midpoints overshoot at edges, and an HU window must not be left.
        """
        finer = self._finer.expand(len(grid), *self._finer.shape[1:])
        return sample(finer, grid).clamp_(self._low, self._high)


def with_midpoints(volume: torch.Tensor) -> torch.Tensor:
    """Return a volume (batch, channel, *n) with its midpoints (batch, channel, *2 n - 1).

    Corners keep their positions, so that one sampling grid fits both. At edges midpoints may exceed
    the range of the voxels by a tenth of it.
    """
    for axis in range(2, volume.ndim):
        volume = _interleave_midpoints(volume, axis)
    return volume


def _interleave_midpoints(volume: torch.Tensor, axis: int) -> torch.Tensor:
    """Insert the midpoints along one axis; beyond the border the outermost voxels are repeated.

    A sum of shifted copies: the matrix of these weights is nearly empty, and the product with it
    takes four times as long in two dimensions.
    """
    count = volume.shape[axis]
    first, last = volume.narrow(axis, 0, 1), volume.narrow(axis, count - 1, 1)
    padded = torch.cat([first] * (REACH - 1) + [volume] + [last] * (REACH - 1), axis)
    midpoints = padded.narrow(axis, 0, count - 1) * _MIDPOINT_WEIGHTS[0]
    for offset, weight in enumerate(_MIDPOINT_WEIGHTS[1:], 1):
        midpoints.add_(padded.narrow(axis, offset, count - 1), alpha=weight)
    shape = list(volume.shape)
    shape[axis] = 2 * count - 1
    finer = volume.new_empty(shape)
    before = (slice(None),) * axis
    finer[(*before, slice(0, None, 2))] = volume
    finer[(*before, slice(1, None, 2))] = midpoints
    return finer


def interpolate_control_points(points: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Interpolate control points (batch, channel, *points) linearly to (batch, channel, *shape).

    The outermost control points lie on the outermost voxels.
    """
    kind = points.dtype, points.device
    sizes = zip(points.shape[2:], shape)
    return apply_along_axes(points, [_control_weights(n, size, *kind) for n, size in sizes])


def smooth_noise(
    rng: RandomGenerator, batch: int, channels: int, shape: Sequence[int], points: int
) -> torch.Tensor:
    """Return noise (batch, channels, *shape), interpolated from standard normal control points."""
    return interpolate_control_points(rng.normal(batch, channels, *[points] * len(shape)), shape)


# called with the same few sizes at every step
@lru_cache(maxsize=64)
def _control_weights(
    points: int, size: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Return the matrix (size, points) from control points to voxels."""
    return linear_weights(torch.linspace(0, points - 1, size, dtype=dtype, device=device), points)
