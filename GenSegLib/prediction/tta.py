"""Test-time augmentation: flips along axes and small affine transforms.

Predictions on an augmented window are mapped back to the voxels of the window and averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

_ROTATION_STD = 0.075  # radians about each axis
_SCALE_STD = 0.05  # of the logarithm of the scale along each axis
_TRANSLATION_STD = 0.5  # voxels


class Augmentation(Protocol):
    """An invertible spatial transform of windows."""

    def apply(self, windows: Tensor) -> Tensor:
        """Transform windows (batch, channel, *size)."""

    def invert(self, probabilities: Tensor) -> Tensor:
        """Map predictions on transformed windows (batch, class, *size) back to the windows."""


@dataclass(frozen=True)
class Flip:
    """Flip along spatial axes; the identity if there are none."""

    axes: tuple[int, ...] = ()

    def apply(self, windows: Tensor) -> Tensor:
        """See `Augmentation`."""
        return windows.flip([2 + axis for axis in self.axes]) if self.axes else windows

    def invert(self, probabilities: Tensor) -> Tensor:
        """See `Augmentation`."""
        return self.apply(probabilities)


IDENTITY = Flip()


@dataclass(frozen=True)
class AffineAugmentation:
    """Affine transform about the window's center, with border padding.

    One with fewer dimensions than a window transforms its first axes, each slice alike.

    Attributes:
        linear: (dims, dims) and
        translation: (dims,): voxel x of the output, relative to the center, samples the input at
            linear @ x + translation.
    """

    linear: Tensor
    translation: Tensor

    def apply(self, windows: Tensor) -> Tensor:
        """See `Augmentation`."""
        return _resample_slices(windows, self.linear, self.translation)

    def invert(self, probabilities: Tensor) -> Tensor:
        """See `Augmentation`."""
        inverse = torch.linalg.inv(self.linear)
        return _resample_slices(probabilities, inverse, -inverse @ self.translation)


def flips(axes: Sequence[int]) -> tuple[Augmentation, ...]:
    """Return the identity and a flip along each combination of spatial axes."""
    subsets = chain.from_iterable(combinations(axes, count) for count in range(len(axes) + 1))
    return tuple(Flip(subset) for subset in subsets)


def affine_augmentations(count: int, spacing: Sequence[float]) -> tuple[Augmentation, ...]:
    """Return small random affine transforms, the same ones in every call.

    Args:
        count: number of transforms.
        spacing: voxel size of the windows in mm along the axes to transform, so that rotations
            preserve lengths.
    """
    dims = len(spacing)
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor(spacing, dtype=torch.float32)
    augmentations = []
    for _ in range(count):
        rotation = _ROTATION_STD * torch.randn(dims, dims, generator=generator).triu(1)
        log_scale = _SCALE_STD * torch.randn(dims, generator=generator)
        linear = torch.matrix_exp(rotation - rotation.T + torch.diag(log_scale))
        translation = _TRANSLATION_STD * torch.randn(dims, generator=generator)
        augmentations.append(AffineAugmentation(linear * sizes / sizes[:, None], translation))
    return tuple(augmentations)


def _resample_slices(volumes: Tensor, linear: Tensor, translation: Tensor) -> Tensor:
    """Apply `_resample` to the first axes of volumes; slices along a further one are channels."""
    if volumes.ndim - 2 == len(translation):
        return _resample(volumes, linear, translation)
    slices = volumes.movedim(-1, 2)
    sampled = _resample(slices.flatten(1, 2), linear, translation)
    return sampled.unflatten(1, slices.shape[1:3]).movedim(2, -1)


def _resample(volumes: Tensor, linear: Tensor, translation: Tensor) -> Tensor:
    """Sample volumes (batch, channel, *size) at linear @ x + translation about the center.

    Runs on the CPU for Apple GPUs, where some versions of PyTorch lack 3-D `grid_sample`.
    """
    device = volumes.device
    sampling_device = torch.device("cpu") if device.type == "mps" else device
    half = torch.tensor(volumes.shape[2:], dtype=torch.float32) / 2
    relative = torch.cat([linear * half / half[:, None], (translation / half)[:, None]], dim=1)
    # PyTorch orders the coordinates from the last axis to the first
    theta = torch.cat([relative[:, :-1].flip(0, 1), relative[:, -1:].flip(0)], dim=1)
    theta = theta.to(sampling_device).expand(len(volumes), -1, -1)
    grid = F.affine_grid(theta, list(volumes.shape), align_corners=False)
    sampled = F.grid_sample(
        volumes.float().to(sampling_device), grid, padding_mode="border", align_corners=False
    )
    return sampled.to(device)
