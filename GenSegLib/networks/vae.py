"""The conditional variational autoencoder as a generator.

Sohn et al., "Learning structured output representation using deep conditional generative models",
NeurIPS 2015. In level 1 an encoder sees the real image and its masks, and a decoder restores the
image from the code, the masks and the source image; a Kullback-Leibler term keeps the codes
standard normal, so that in level 2 normal noise stands for a code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.blocks.convolutions import Convolution
from monai.networks.layers.factories import Conv
from torch import nn

from .image_generator import Design, ImageGenerator, Seen, zeroed
from .pyramid import LEAKY, Pyramid, group_norm

CODE_CHANNELS = 8
DIVERGENCE_WEIGHT = 0.02


class VaeGenerator(ImageGenerator):
    """Adds a residual to the source image, decoded from a code under masks and source."""

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        dims, (first, *_, last) = design.spatial_dims, design.widths
        convolution = Conv[Conv.CONV, dims]
        seen = design.classes + design.channels
        self.encoder = Pyramid(dims, seen, design.widths)
        self.to_code = convolution(last, 2 * CODE_CHANNELS, kernel_size=1)
        self.condition = Pyramid(dims, seen + design.places, design.widths)
        self.from_code = convolution(last + CODE_CHANNELS, last, kernel_size=1)
        self.decoder = nn.ModuleList(
            Convolution(dims, coarse, fine, act=LEAKY, norm=group_norm(fine))
            for fine, coarse in reversed(design.steps)
        )
        self.head = zeroed(convolution(first, design.channels, kernel_size=3, padding=1))

    def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of a code."""
        return (CODE_CHANNELS, *(size // self.multiple for size in shape))

    def drawn(self, seen: Seen) -> torch.Tensor:
        """See `ImageGenerator`; the noise is the code."""
        *skips, features = self.condition(seen.masks, seen.source, seen.coordinates)
        features = self.from_code(torch.cat([features, seen.noise], dim=1))
        for block in self.decoder:
            skip = skips.pop()
            features = F.interpolate(block(features), size=skip.shape[2:]) + skip
        return self.within_bounds(seen.source + self.head(features))

    def attempt(self, images: torch.Tensor, seen: Seen) -> tuple[torch.Tensor, torch.Tensor]:
        """See `ImageGenerator`; the price is the divergence of the images' codes from normal."""
        mean, log_variance = self.encoded(images, seen.masks)
        code = mean + (log_variance / 2).exp() * seen.noise
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        price = DIVERGENCE_WEIGHT * divergence.flatten(1).mean(dim=1)
        return self.drawn(seen._replace(noise=code)), price

    def encoded(
        self, images: torch.Tensor, masks: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and logarithm of the variance of the images' codes."""
        coarse = self.encoder(masks, images)[-1]
        mean, log_variance = self.to_code(coarse).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-10, 10)
