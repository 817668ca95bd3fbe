"""Swin-Unet: a U-shaped transformer without convolutions between its patches.

Cao et al., "Swin-Unet: Unet-like pure transformer for medical image segmentation", ECCVW 2022, with
MONAI's transformer blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.blocks import PatchEmbed
from monai.networks.layers.factories import Conv
from monai.networks.nets.swin_unetr import BasicLayer, PatchMergingV2
from torch import nn

from .padded import crop_to, pad_to

_PATCH = 4  # voxels per side of a token
_DEPTH = 2  # blocks a stage, the second one with shifted windows


class SwinUNet(nn.Module):
    """Swin-Unet for images of any size, which are padded for it.

    Args:
        spatial_dims: 2 or 3.
        in_channels: image channels.
        out_channels: classes, background included.
        embedding: channels of the first stage; they double at each further one.
        heads: attention heads of each stage, whose number is that of the resolutions.
        window_size: tokens per side within which attention is computed.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        embedding: int = 48,
        heads: Sequence[int] = (3, 6, 12),
        window_size: int = 4,
    ) -> None:
        super().__init__()
        self.multiple = _PATCH * 2 ** (len(heads) - 1)
        convolution, expansion = Conv[Conv.CONV, spatial_dims], Conv[Conv.CONVTRANS, spatial_dims]
        widths = [embedding * 2**level for level in range(len(heads))]
        self.embed = PatchEmbed(
            _PATCH, in_channels, embedding, norm_layer=nn.LayerNorm, spatial_dims=spatial_dims
        )

        def stage(level: int) -> nn.Module:
            window = [window_size] * spatial_dims
            layer: nn.Module = BasicLayer(
                widths[level], _DEPTH, heads[level], window, drop_path=[0.0] * _DEPTH, qkv_bias=True
            )
            return layer

        levels = range(len(heads))
        self.encoder = nn.ModuleList(stage(level) for level in levels)
        self.merge = nn.ModuleList(
            PatchMergingV2(width, spatial_dims=spatial_dims) for width in widths[:-1]
        )
        # a transposed convolution without overlap is a linear layer that expands each token
        self.expand = nn.ModuleList(expansion(2 * width, width, 2, 2) for width in widths[:-1])
        self.join = nn.ModuleList(convolution(2 * width, width, 1) for width in widths[:-1])
        self.decoder = nn.ModuleList(stage(level) for level in levels[:-1])
        self.norm = nn.GroupNorm(1, embedding)
        self.finest = nn.Sequential(
            expansion(embedding, embedding, _PATCH, _PATCH), nn.GroupNorm(1, embedding)
        )
        self.head = convolution(embedding, out_channels, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, *shape) to logits (batch, class, *shape)."""
        shape = [int(size) for size in images.shape[2:]]
        x = self.embed(
            pad_to(images, [-(-size // self.multiple) * self.multiple for size in shape])
        )
        skips = []
        for level, stage in enumerate(self.encoder):
            x = stage(x)
            if level < len(self.merge):
                skips.append(x)
                last = x.ndim - 1  # the ONNX exporter knows no negative axis here
                x = self.merge[level](x.movedim(1, last)).movedim(last, 1)
        for level in reversed(range(len(self.decoder))):
            x = self.join[level](torch.cat([skips[level], self.expand[level](x)], dim=1))
            x = self.decoder[level](x)
        return crop_to(self.head(self.finest(self.norm(x))), shape)
