"""Transformer segmenters for images of any size.

UNETR takes images of one size and Swin UNETR multiples of 32. Images are padded with zeros (the
mean of a normalized image), and the logits cropped. Sizes are converted to int: on export, traced
ones would become part of the graph.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.nets import UNETR, SwinUNETR

_SWIN_STRIDE = 32
_MIN_DEEPEST_VOXELS = 4  # instance norm of fewer voxels leaves little but their signs


def pad_to(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Pad images (batch, channel, *shape) with zeros at the far ends to at least ``shape``."""
    margins = [max(0, want - have) for want, have in zip(shape, _spatial_shape(images))]
    return F.pad(images, [value for margin in reversed(margins) for value in (0, margin)])


def crop_to(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Crop images (batch, channel, *shape) to their first ``shape`` voxels."""
    return images[(slice(None), slice(None), *(slice(0, size) for size in shape))]


def swin_shape(shape: Sequence[int]) -> list[int]:
    """Return the smallest shape for Swin UNETR: multiples of 32, shorter axes padded first."""
    blocks = [-(-size // _SWIN_STRIDE) for size in shape]
    while math.prod(blocks) < _MIN_DEEPEST_VOXELS:
        blocks[blocks.index(min(blocks))] += 1
    return [_SWIN_STRIDE * count for count in blocks]


class PaddedUNETR(UNETR):
    """UNETR (Hatamizadeh et al., WACV 2022) for images up to its own size."""

    def __init__(self, img_size: Sequence[int], **kwargs: Any) -> None:
        super().__init__(img_size=tuple(img_size), **kwargs)
        self.image_size = tuple(img_size)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, *shape) to logits (batch, class, *shape)."""
        logits = super().forward(pad_to(images, self.image_size))
        return crop_to(logits, _spatial_shape(images))


class PaddedSwinUNETR(SwinUNETR):
    """Swin UNETR (Hatamizadeh et al., BrainLes 2021) for images of any size."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, *shape) to logits (batch, class, *shape)."""
        logits = super().forward(pad_to(images, swin_shape(_spatial_shape(images))))
        return crop_to(logits, _spatial_shape(images))


def _spatial_shape(images: torch.Tensor) -> list[int]:
    return [int(side) for side in images.shape[2:]]
