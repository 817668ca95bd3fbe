"""A generator conditioned on masks by spatially adaptive normalization (SPADE).

Park et al., "Semantic image synthesis with spatially-adaptive normalization", CVPR 2019, with
MONAI's blocks. Masks scale and shift normalized features at every size; the features come from the
source image and noise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks.blocks.spade_norm import SPADE
from monai.networks.layers.factories import Conv
from monai.networks.nets.spade_network import SPADENetResBlock
from torch import nn

from .image_generator import (
    GeneratorConfig,
    GeneratorInputs,
    ImageGenerator,
    MultiscaleEncoder,
    group_norm,
    zero_init,
)

_HIDDEN = 16


class SpadeGenerator(ImageGenerator):
    """Adds to the source image a residual that is decoded with SPADE."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        dims, classes, first = config.spatial_dims, config.classes, config.widths[0]
        inputs = config.channels + 1 + config.coordinate_channels
        self.encoder = MultiscaleEncoder(dims, inputs, config.widths)
        self.decoder = nn.ModuleList(
            SPADENetResBlock(
                dims,
                coarse,
                fine,
                classes,
                spade_intermediate_channels=_HIDDEN,
                norm=group_norm(coarse, affine=False),
            )
            for fine, coarse in reversed(config.steps)
        )
        norm = group_norm(first, affine=False)
        self.last = SPADE(classes, first, spatial_dims=dims, hidden_channels=_HIDDEN, norm=norm)
        head = Conv[Conv.CONV, dims](first, config.channels, kernel_size=3, padding=1)
        self.head = zero_init(head)

    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """See `ImageGenerator`."""
        *skips, features = self.encoder(inputs.source, inputs.noise, inputs.coordinates)
        for block in self.decoder:
            skip = skips.pop()
            features = F.interpolate(block(features, inputs.masks), size=skip.shape[2:]) + skip
        features = F.leaky_relu(self.last(features, inputs.masks), 0.2)
        return self.clip(inputs.source + self.head(features))
