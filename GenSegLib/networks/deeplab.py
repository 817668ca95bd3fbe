"""DeepLabV3+: an encoder with atrous spatial pyramid pooling and a small decoder.

Chen et al., "Encoder-decoder with atrous separable convolution for semantic image segmentation",
ECCV 2018, with MONAI's pyramid block.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks.blocks import Convolution, SimpleASPP
from monai.networks.layers.factories import Conv
from monai.networks.nets import ResNet
from torch import nn

from .efficientnet import EfficientNetLite0

_DILATIONS = (1, 2, 4, 6)
_MODES = {2: "bilinear", 3: "trilinear"}
_NORM = ("instance", {"affine": True})
_SKIP_CHANNELS = 48


class DeepLab(nn.Module):
    """Residual encoder, pyramid pooling at an eighth of the size, and one skip at half the size.

    Args:
        spatial_dims: 2 or 3.
        in_channels: image channels.
        out_channels: classes, background included.
        widths: channels of the encoder's three stages.
        decoder_channels: of the decoder's convolutions; 0 for none, as in older models.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        widths: tuple[int, int, int] = (32, 64, 128),
        decoder_channels: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = ResNet(
            block="basic",
            layers=[1, 1, 1, 1],
            block_inplanes=[*widths, 1],  # the last of four stages is removed
            spatial_dims=spatial_dims,
            n_input_channels=in_channels,
            conv1_t_stride=2,
            conv1_t_size=5,
            no_max_pool=True,
            norm=_NORM,
            feed_forward=False,
        )
        self.encoder.layer4 = nn.Sequential()
        branch = widths[2] // 4
        self.pyramid = SimpleASPP(
            spatial_dims, widths[2], branch, dilations=_DILATIONS, norm_type="instance"
        )
        self.head: nn.Module
        if decoder_channels:
            self.head = _Decoder(
                spatial_dims, widths[0], 4 * branch, decoder_channels, out_channels
            )
        else:
            self.head = _linear(spatial_dims, 4 * branch + widths[0], out_channels)
        self.has_decoder = decoder_channels > 0
        self.mode = _MODES[spatial_dims]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, *shape) to logits (batch, class, *shape)."""
        encoder = self.encoder
        fine = encoder.layer1(encoder.act(encoder.bn1(encoder.conv1(images))))
        coarse = self.pyramid(encoder.layer3(encoder.layer2(fine)))
        coarse = resize(coarse, fine, self.mode)
        logits = self.head(fine, coarse) if self.has_decoder else self.head(_joined(fine, coarse))
        return resize(logits, images, self.mode)


class EncoderDeepLab(nn.Module):
    """DeepLabV3+ over EfficientNet-Lite0, for 2-D images of any size.

    Pyramid pooling is at a sixteenth of the size, the skip at a quarter.

    Args:
        in_channels: image channels.
        out_channels: classes, background included.
        branch_channels: of each of the four branches of the pyramid.
        decoder_channels: of the decoder's convolutions.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        branch_channels: int = 48,
        decoder_channels: int = 64,
    ) -> None:
        super().__init__()
        self.encoder = EfficientNetLite0(in_channels, coarsest=16)
        channels = self.encoder.channels
        self.pyramid = SimpleASPP(
            2, channels[-1], branch_channels, dilations=_DILATIONS, norm_type="instance"
        )
        self.decoder = _Decoder(2, channels[1], 4 * branch_channels, decoder_channels, out_channels)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, x, y) to logits (batch, class, x, y)."""
        features = self.encoder(images)
        fine, coarse = features[1], self.pyramid(features[-1])
        return resize(self.decoder(fine, resize(coarse, fine, "bilinear")), images, "bilinear")


class _Decoder(nn.Module):
    """Joins the reduced skip with the pyramid, and refines both by two convolutions."""

    def __init__(self, dims: int, fine: int, coarse: int, channels: int, classes: int) -> None:
        super().__init__()
        self.skip = Convolution(dims, fine, _SKIP_CHANNELS, kernel_size=1, norm=_NORM)
        self.refine = nn.Sequential(
            Convolution(dims, _SKIP_CHANNELS + coarse, channels, norm=_NORM),
            Convolution(dims, channels, channels, norm=_NORM),
            _linear(dims, channels, classes),
        )

    def forward(self, fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.refine(_joined(self.skip(fine), coarse))
        return logits


def _linear(dims: int, inputs: int, outputs: int) -> nn.Module:
    layer: nn.Module = Conv[Conv.CONV, dims](inputs, outputs, kernel_size=1)
    return layer


def _joined(fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    return torch.cat([fine, coarse], dim=1)


def resize(features: torch.Tensor, like: torch.Tensor, mode: str) -> torch.Tensor:
    """Interpolate features (batch, channel, *shape) to the shape of others."""
    return F.interpolate(features, size=like.shape[2:], mode=mode, align_corners=False)
