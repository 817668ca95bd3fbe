"""The mask-to-image generator of searchable cells, an encoder-decoder.

It adds a learned residual to a real image that was warped onto the new mask. The residual is zero
before training: a generated pair then equals an augmented one.
"""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from .cells import CONVOLUTION, TRANSPOSED, SearchableCell
from .image_generator import (
    GeneratorConfig,
    GeneratorInputs,
    ImageGenerator,
    concatenate,
    zero_init,
)


class SearchableGenerator(ImageGenerator):
    """Adds a learned residual to the source image."""

    uses_source = True

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        dims, first, steps = config.spatial_dims, config.widths[0], config.steps
        convolution = Conv[CONVOLUTION, dims]
        inputs = config.classes + 1 + config.coordinate_channels
        inputs += config.channels if self.uses_source else 0
        self.stem = nn.Sequential(
            convolution(inputs, first, kernel_size=3, padding=1), nn.LeakyReLU(0.2)
        )
        self.encoder = nn.ModuleList(
            SearchableCell(CONVOLUTION, dims, fine, coarse, config.space) for fine, coarse in steps
        )
        skipped = [0, *(coarse for _, coarse in reversed(steps[:-1]))]
        self.decoder = nn.ModuleList(
            SearchableCell(TRANSPOSED, dims, coarse + skip, fine, config.space)
            for skip, (fine, coarse) in zip(skipped, reversed(steps))
        )
        self.head = convolution(2 * first, config.channels, kernel_size=3, padding=1)
        if self.uses_source:
            zero_init(self.head)

    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """See `ImageGenerator`."""
        return self.clip(inputs.source + self.decode(*inputs))

    def decode(self, *inputs: torch.Tensor | None) -> torch.Tensor:
        """Return the output of encoder and decoder for the concatenated inputs."""
        features = self.stem(concatenate(*inputs))
        skips = []
        for cell in self.encoder:
            skips.append(features)
            features = cell(features)
        for cell in self.decoder:
            features = torch.cat([cell(features), skips.pop()], dim=1)
        image: torch.Tensor = self.head(features)
        return image

    def cells(self) -> dict[str, SearchableCell]:
        """See `ImageGenerator`; coarse to fine in the decoder."""
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        return {
            f"{part} {index}": cell
            for part, cells in parts.items()
            for index, cell in enumerate(cells)
            if isinstance(cell, SearchableCell)
        }


class MaskOnlyGenerator(SearchableGenerator):
    """Generates from masks and noise without a source image, as published."""

    uses_source = False

    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """See `ImageGenerator`; the source image is ignored."""
        image = self.decode(inputs.masks, inputs.noise, inputs.coordinates)
        return torch.sigmoid(image) if self.bounded else image
