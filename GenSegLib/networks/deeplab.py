"""DeepLabV3 for volumes: a residual encoder with atrous spatial pyramid pooling.

Chen et al., "Rethinking atrous convolution for semantic image segmentation", arXiv:1706.05587,
over the first three stages of MONAI's ResNet and its pyramid block.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks.blocks import SimpleASPP
from monai.networks.layers.factories import Conv
from monai.networks.nets import ResNet
from torch import nn


class DeepLab(nn.Module):
    """Residual encoder, pyramid pooling at an eighth of the size, and one skip at half the size.

    Args:
        spatial_dims: 2 or 3.
        in_channels: image channels.
        out_channels: classes, background included.
        widths: channels of the encoder's three stages.
    """

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        out_channels: int,
        widths: tuple[int, int, int] = (32, 64, 128),
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
            norm=("instance", {"affine": True}),
            feed_forward=False,
        )
        self.encoder.layer4 = nn.Sequential()
        branch = widths[2] // 4
        self.pyramid = SimpleASPP(
            spatial_dims, widths[2], branch, dilations=(1, 2, 4, 6), norm_type="instance"
        )
        convolution = Conv[Conv.CONV, spatial_dims]
        self.head = convolution(4 * branch + widths[0], out_channels, kernel_size=1)
        self.mode = "trilinear" if spatial_dims == 3 else "bilinear"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (batch, channel, *shape) to logits (batch, class, *shape)."""
        encoder = self.encoder
        fine = encoder.layer1(encoder.act(encoder.bn1(encoder.conv1(images))))
        coarse = self.pyramid(encoder.layer3(encoder.layer2(fine)))
        features = torch.cat([fine, self._resize(coarse, fine.shape[2:])], dim=1)
        return self._resize(self.head(features), images.shape[2:])

    def _resize(self, features: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        return F.interpolate(features, size=shape, mode=self.mode, align_corners=False)
