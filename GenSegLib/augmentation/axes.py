"""One small matrix along each axis: how smooth fields, finer and coarser images are computed here.

That takes a third of the time of PyTorch's own interpolation on a CPU, or less, gives the same but
for rounding, and its gradient is computed in a fixed order on graphics cards, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch


def along_axes(field: torch.Tensor, matrices: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a field (batch, channel, *old) times a matrix (new, old) along each axis."""
    for axis, matrix in reversed(list(enumerate(matrices, 2))):
        before, after = field.shape[:axis], field.shape[axis + 1 :]
        if after:
            lines = field.reshape(math.prod(before), -1, math.prod(after))
            field = matrix @ lines
        else:
            field = field.reshape(math.prod(before), -1) @ matrix.T
        field = field.reshape(*before, len(matrix), *after)
    return field


def linear_shares(at: torch.Tensor, count: int) -> torch.Tensor:
    """Return what each of ``count`` voxels has of places between them (places, count).

    That is linear interpolation as a matrix: hats around the voxels, the border kept outside.
    """
    voxels = torch.arange(count, dtype=at.dtype, device=at.device)
    return (1 - (at.clamp(0, count - 1)[:, None] - voxels).abs()).clamp_min(0)


def kept_border(voxels: torch.Tensor, shares: torch.Tensor, count: int) -> torch.Tensor:
    """Return shares (places, taps) of voxels (places, taps) as a matrix (places, count).

    What lies outside is taken from the border.
    """
    matrix = shares.new_zeros(len(voxels), count)
    return matrix.scatter_add_(1, voxels.clamp(0, count - 1), shares)
