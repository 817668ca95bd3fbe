"""A conditional variational autoencoder as a generator.

Sohn et al., "Learning structured output representation using deep conditional generative models",
NeurIPS 2015. In level 1 an encoder maps real image and masks to a latent code, and a decoder
reconstructs the image from the code, the masks and the source image; a Kullback-Leibler term keeps
codes standard normal. In level 2 the code is sampled from a standard normal distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.blocks.convolutions import Convolution
from monai.networks.layers.factories import Conv
from torch import nn

from .image_generator import (
    LEAKY_RELU,
    GeneratorConfig,
    GeneratorInputs,
    ImageGenerator,
    MultiscaleEncoder,
    group_norm,
    zero_init,
)

CODE_CHANNELS = 8
KL_WEIGHT = 0.02


class VaeGenerator(ImageGenerator):
    """Adds to the source image a residual decoded from a code, the masks and the source."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        dims, (first, *_, last) = config.spatial_dims, config.widths
        convolution = Conv[Conv.CONV, dims]
        inputs = config.classes + config.channels
        self.encoder = MultiscaleEncoder(dims, inputs, config.widths)
        self.to_code = convolution(last, 2 * CODE_CHANNELS, kernel_size=1)
        self.condition = MultiscaleEncoder(dims, inputs + config.coordinate_channels, config.widths)
        self.from_code = convolution(last + CODE_CHANNELS, last, kernel_size=1)
        self.decoder = nn.ModuleList(
            Convolution(dims, coarse, fine, act=LEAKY_RELU, norm=group_norm(fine))
            for fine, coarse in reversed(config.steps)
        )
        self.head = zero_init(convolution(first, config.channels, kernel_size=3, padding=1))

    def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of a code."""
        return (CODE_CHANNELS, *(size // self.multiple for size in shape))

    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """See `ImageGenerator`; the noise is the code."""
        *skips, features = self.condition(inputs.masks, inputs.source, inputs.coordinates)
        features = self.from_code(torch.cat([features, inputs.noise], dim=1))
        for block in self.decoder:
            skip = skips.pop()
            features = F.interpolate(block(features), size=skip.shape[2:]) + skip
        return self.clip(inputs.source + self.head(features))

    def reconstruct(
        self, images: torch.Tensor, inputs: GeneratorInputs
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `ImageGenerator`; the regularization is the weighted KL divergence of the codes."""
        mean, log_variance = self.encode(images, inputs.masks)
        code = mean + (log_variance / 2).exp() * inputs.noise
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        regularization = KL_WEIGHT * divergence.flatten(1).mean(dim=1)
        return self.generate(inputs._replace(noise=code)), regularization

    def encode(
        self, images: torch.Tensor, masks: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and log variance of the images' codes."""
        coarse = self.encoder(masks, images)[-1]
        mean, log_variance = self.to_code(coarse).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 10)
