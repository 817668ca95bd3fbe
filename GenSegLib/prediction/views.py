"""Ways to look at a window: as it is, mirrored, or slightly turned, stretched and moved.

What is found in a copy is brought back onto the window's own voxels, where copies are averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

_TURN = 0.075  # standard deviations: radians about each axis,
_STRETCH = 0.05  # logarithm of the scale along each axis,
_SHIFT = 0.5  # and voxels


class View(Protocol):
    """A way to look at windows."""

    def show(self, windows: Tensor) -> Tensor:
        """Give copies of windows (batch, channel, *size)."""

    def bring_back(self, shares: Tensor) -> Tensor:
        """Bring what was found in copies (batch, class, *size) back to the windows' voxels."""


@dataclass(frozen=True)
class Mirrored:
    """Along spatial axes; along none, windows are shown as they are."""

    axes: tuple[int, ...] = ()

    def show(self, windows: Tensor) -> Tensor:
        """See `View`."""
        return windows.flip([2 + axis for axis in self.axes]) if self.axes else windows

    def bring_back(self, shares: Tensor) -> Tensor:
        """See `View`."""
        return self.show(shares)


AS_IT_IS = Mirrored()


@dataclass(frozen=True)
class Moved:
    """Turned and stretched about the middle, and shifted; what lies outside is as the border is.

    Attributes:
        linear: (dims, dims), and
        shift: (dims): voxel x of the copy, counted from the middle, shows linear @ x + shift.
    """

    linear: Tensor
    shift: Tensor

    def show(self, windows: Tensor) -> Tensor:
        """See `View`."""
        return _resampled(windows, self.linear, self.shift)

    def bring_back(self, shares: Tensor) -> Tensor:
        """See `View`."""
        back = torch.linalg.inv(self.linear)
        return _resampled(shares, back, -back @ self.shift)


def mirrored_views(axes: Sequence[int]) -> tuple[View, ...]:
    """Give the view as it is, and one mirrored along each combination of spatial axes."""
    every = chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1))
    return tuple(Mirrored(chosen) for chosen in every)


def moved_views(count: int, spacing: Sequence[float]) -> tuple[View, ...]:
    """Give views that differ from each other by little, the same ones in every call.

    Args:
        count: how many.
        spacing: of the windows' voxels in mm, so that a turn keeps lengths.
    """
    dims = len(spacing)
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor(spacing, dtype=torch.float32)
    views = []
    for _ in range(count):
        turn = _TURN * torch.randn(dims, dims, generator=generator).triu(1)
        stretch = _STRETCH * torch.randn(dims, generator=generator)
        linear = torch.matrix_exp(turn - turn.T + torch.diag(stretch))
        shift = _SHIFT * torch.randn(dims, generator=generator)
        views.append(Moved(linear * sizes / sizes[:, None], shift))
    return tuple(views)


def _resampled(volumes: Tensor, linear: Tensor, shift: Tensor) -> Tensor:
    """Give volumes (batch, channel, *size) that show linear @ x + shift at x, from the middle.

    On the CPU where the device is an Apple GPU, which does not sample volumes with every PyTorch.
    """
    device = volumes.device
    place = torch.device("cpu") if device.type == "mps" else device
    half = torch.tensor(volumes.shape[2:], dtype=torch.float32) / 2
    relative = torch.cat([linear * half / half[:, None], (shift / half)[:, None]], dim=1)
    # PyTorch counts axes from the last one
    theta = torch.cat([relative[:, :-1].flip(0, 1), relative[:, -1:].flip(0)], dim=1)
    theta = theta.to(place).expand(len(volumes), -1, -1)
    grid = F.affine_grid(theta, list(volumes.shape), align_corners=False)
    moved = F.grid_sample(
        volumes.float().to(place), grid, padding_mode="border", align_corners=False
    )
    return moved.to(device)
