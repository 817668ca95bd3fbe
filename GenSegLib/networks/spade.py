"""The generator whose masks act through spatially adaptive normalization (SPADE).

Park et al., "Semantic image synthesis with spatially-adaptive normalization", CVPR 2019, of MONAI's
blocks: the masks scale and shift normalized features at every size instead of being convolved
away, while the features themselves come from the source image and noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.blocks.spade_norm import SPADE
from monai.networks.layers.factories import Conv
from monai.networks.nets.spade_network import SPADENetResBlock
from torch import nn

from .image_generator import ImageGenerator, zeroed
from .pyramid import Pyramid, group_norm

_HIDDEN = 16


class SpadeGenerator(ImageGenerator):
    """Adds a residual to the source image, decoded under the masks.

    Args:
        classes: classes of the one-hot masks, background included.
        channels: image channels.
        spatial_dims: 2 or 3.
        widths: channels at full size and after each halving.
        coordinates: also see where a voxel lies.
        bounded: keep images from 0 to 1.
    """

    def __init__(
        self,
        classes: int,
        channels: int = 1,
        spatial_dims: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        coordinates: bool = False,
        bounded: bool = False,
    ) -> None:
        super().__init__(widths, bounded)
        seen = channels + 1 + (spatial_dims if coordinates else 0)
        self.encoder = Pyramid(spatial_dims, seen, widths)
        self.decoder = nn.ModuleList(
            SPADENetResBlock(
                spatial_dims,
                coarse,
                fine,
                classes,
                spade_intermediate_channels=_HIDDEN,
                norm=group_norm(coarse, affine=False),
            )
            for fine, coarse in reversed(list(zip(widths, widths[1:])))
        )
        norm = group_norm(widths[0], affine=False)
        self.last = SPADE(
            classes, widths[0], spatial_dims=spatial_dims, hidden_channels=_HIDDEN, norm=norm
        )
        convolution = Conv[Conv.CONV, spatial_dims]
        self.head = zeroed(convolution(widths[0], channels, kernel_size=3, padding=1))

    def forward(
        self,
        masks: torch.Tensor,
        source: torch.Tensor,
        noise: torch.Tensor,
        coordinates: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """See `ImageGenerator`."""
        *skips, features = self.encoder(source, noise, coordinates)
        for block in self.decoder:
            skip = skips.pop()
            features = F.interpolate(block(features, masks), size=skip.shape[2:]) + skip
        features = F.leaky_relu(self.last(features, masks), 0.2)
        return self.within_bounds(source + self.head(features))
