"""The generator whose masks act through spatially adaptive normalization (SPADE).

Park et al., "Semantic image synthesis with spatially-adaptive normalization", CVPR 2019, of MONAI's
blocks: the masks scale and shift normalized features at every size instead of being convolved
away, while the features themselves come from the source image and noise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks.blocks.spade_norm import SPADE
from monai.networks.layers.factories import Conv
from monai.networks.nets.spade_network import SPADENetResBlock
from torch import nn

from .image_generator import Design, ImageGenerator, Seen, zeroed
from .pyramid import Pyramid, group_norm

_HIDDEN = 16


class SpadeGenerator(ImageGenerator):
    """Adds a residual to the source image, decoded under the masks."""

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        dims, classes, first = design.spatial_dims, design.classes, design.widths[0]
        self.encoder = Pyramid(dims, design.channels + 1 + design.places, design.widths)
        self.decoder = nn.ModuleList(
            SPADENetResBlock(
                dims,
                coarse,
                fine,
                classes,
                spade_intermediate_channels=_HIDDEN,
                norm=group_norm(coarse, affine=False),
            )
            for fine, coarse in reversed(design.steps)
        )
        norm = group_norm(first, affine=False)
        self.last = SPADE(classes, first, spatial_dims=dims, hidden_channels=_HIDDEN, norm=norm)
        head = Conv[Conv.CONV, dims](first, design.channels, kernel_size=3, padding=1)
        self.head = zeroed(head)

    def drawn(self, seen: Seen) -> torch.Tensor:
        """See `ImageGenerator`."""
        *skips, features = self.encoder(seen.source, seen.noise, seen.coordinates)
        for block in self.decoder:
            skip = skips.pop()
            features = F.interpolate(block(features, seen.masks), size=skip.shape[2:]) + skip
        features = F.leaky_relu(self.last(features, seen.masks), 0.2)
        return self.within_bounds(seen.source + self.head(features))
