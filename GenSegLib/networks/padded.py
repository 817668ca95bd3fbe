"""Transformer segmenters that take images of any size.

UNETR works on one fixed size and Swin UNETR on multiples of 32; a segmenter of the registry meets
patches of any preset's size. Images are therefore padded with zeros (the mean of a normalized
image) and the logits cropped back. Sides are taken as plain numbers: where a network is exported,
traced ones would become part of what it computes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from monai.networks.nets import UNETR, SwinUNETR

_SWIN_STRIDE = 32
_FEWEST_DEEPEST = 4  # voxels of the coarsest grid: normalizing fewer leaves little but their signs


def pad_to(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Pad images (batch, channel, *shape) with zeros at the far ends to at least ``shape``."""
    margins = [max(0, want - have) for want, have in zip(shape, _sides(images))]
    return F.pad(images, [value for margin in reversed(margins) for value in (0, margin)])


def crop_to(images: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Crop images (batch, channel, *shape) to their first ``shape`` voxels."""
    return images[(slice(None), slice(None), *(slice(0, size) for size in shape))]


def swin_shape(shape: Sequence[int]) -> list[int]:
    """Return the least shape for Swin UNETR: multiples of 32, the shorter axes lengthened first."""
    blocks = [-(-size // _SWIN_STRIDE) for size in shape]
    while math.prod(blocks) < _FEWEST_DEEPEST:
        blocks[blocks.index(min(blocks))] += 1
    return [_SWIN_STRIDE * count for count in blocks]


class PaddedUNETR(UNETR):
    """UNETR (Hatamizadeh et al., WACV 2022) for images no larger than its own size."""

    def __init__(self, img_size: Sequence[int], **kwargs: Any) -> None:
        super().__init__(img_size=tuple(img_size), **kwargs)
        self.image_size = tuple(img_size)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, *shape) to logits (batch, class, *shape)."""
        logits = super().forward(pad_to(images, self.image_size))
        return crop_to(logits, _sides(images))


class PaddedSwinUNETR(SwinUNETR):
    """Swin UNETR (Hatamizadeh et al., BrainLes 2021) for images of any size."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, *shape) to logits (batch, class, *shape)."""
        logits = super().forward(pad_to(images, swin_shape(_sides(images))))
        return crop_to(logits, _sides(images))


def _sides(images: torch.Tensor) -> list[int]:
    return [int(side) for side in images.shape[2:]]
