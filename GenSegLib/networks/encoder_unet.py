"""A U-Net whose encoder can start from ImageNet's weights.

The decoder is that of MONAI's FlexibleUNet, which is modeled on segmentation-models-pytorch. The
image is a further skip: the encoder's finest features have half of its resolution, too little for
thin vessels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.blocks import Convolution
from monai.networks.nets.flexible_unet import UNetDecoder
from torch import nn

from .efficientnet import EfficientNetLite0

_COARSEST = 32  # of the encoder's features
_NORM = ("instance", {"affine": True})
_ACTIVATION = ("leakyrelu", {"negative_slope": 0.01, "inplace": True})


class EncoderUNet(nn.Module):
    """EfficientNet-Lite0 with a U-Net's decoder, for 2-D images of any size.

    Args:
        in_channels: image channels.
        out_channels: classes, background included.
        decoder_channels: of the decoder, coarsest level first.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        decoder_channels: Sequence[int] = (128, 64, 32, 24, 16),
    ) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0(in_channels)
        self.decoder = UNetDecoder(
            spatial_dims=2,
            encoder_channels=(in_channels, *self.encoder.channels),
            decoder_channels=decoder_channels,
            act=_ACTIVATION,
            norm=_NORM,
            dropout=0.0,
            bias=False,
            upsample="nontrainable",
            pre_conv="default",
            interp_mode="bilinear",
            align_corners=False,
            is_pad=False,
        )
        width = decoder_channels[-1]
        self.refine = Convolution(2, width + in_channels, width, act=_ACTIVATION, norm=_NORM)
        self.head = nn.Conv2d(width, out_channels, kernel_size=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, x, y) to logits (batch, class, x, y)."""
        padded = pad_to_multiple(images, _COARSEST)
        features = [padded, *self.encoder(padded)]
        fine = torch.cat([self.decoder(features), padded], dim=1)
        logits: torch.Tensor = self.head(self.refine(fine))
        return logits[..., : images.shape[2], : images.shape[3]]


def pad_to_multiple(images: torch.Tensor, multiple: int) -> torch.Tensor:
    """Pad images (batch, channel, x, y) with zeros at the far ends to multiples."""
    margins = [-int(size) % multiple for size in images.shape[2:]]
    return F.pad(images, [0, margins[1], 0, margins[0]]) if any(margins) else images
