"""The mask-to-image generator of searchable cells, an encoder-decoder.

It adds a learned residual to a real image that was warped onto the new mask. The residual is zero
before training: a generated pair then equals an augmented one.
"""

from __future__ import annotations

import math

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from .cells import CONVOLUTION, TRANSPOSED, LinearCell, ModulatedCell, SearchableCell
from .image_generator import GeneratorConfig, GeneratorInputs, ImageGenerator, zero_init
from .operations import AveragePool


class CellGenerator(ImageGenerator):
    """An encoder and a decoder of searchable cells, with skip connections.

    Args:
        config: widths, channels and search space.
        inputs: input channels.
    """

    def __init__(self, config: GeneratorConfig, inputs: int) -> None:
        super().__init__(config)
        dims, first, steps = config.spatial_dims, config.widths[0], config.steps
        convolution = Conv[CONVOLUTION, dims]
        self.stem = nn.Sequential(
            convolution(inputs, first, kernel_size=3, padding=1), nn.LeakyReLU(0.2)
        )
        self.encoder = nn.ModuleList(
            self.cell(CONVOLUTION, config, fine, coarse) for fine, coarse in steps
        )
        skipped = [0, *(coarse for _, coarse in reversed(steps[:-1]))]
        self.decoder = nn.ModuleList(
            self.cell(TRANSPOSED, config, coarse + skip, fine)
            for skip, (fine, coarse) in zip(skipped, reversed(steps))
        )
        self.head = convolution(2 * first, config.channels, kernel_size=3, padding=1)

    def cell(self, kind: str, config: GeneratorConfig, inputs: int, outputs: int) -> SearchableCell:
        """Return a new cell."""
        return LinearCell(kind, config.spatial_dims, inputs, outputs, config.space)

    def decode(self, inputs: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the output (batch, channel, *shape) for inputs and noise (batch, any, *shape)."""
        levels = noise_levels(noise, len(self.encoder) + 1)
        features = self.stem(inputs)
        skips = []
        for cell, level in zip(self.encoder, levels[1:]):
            skips.append(features)
            features = cell(features, level)
        for cell, level in zip(self.decoder, levels[-2::-1]):
            features = torch.cat([cell(features, level), skips.pop()], dim=1)
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


class SearchableGenerator(CellGenerator):
    """Adds a learned residual to the source image; noise modulates every level."""

    sees_regions = True
    noise_channels = 4

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config, config.classes + 2 * config.channels)  # source and regions
        zero_init(self.head)

    def cell(self, kind: str, config: GeneratorConfig, inputs: int, outputs: int) -> SearchableCell:
        """See `CellGenerator`."""
        dims, noise = config.spatial_dims, self.noise_channels
        return ModulatedCell(kind, dims, inputs, outputs, config.space, noise)

    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """See `ImageGenerator`."""
        seen = torch.cat([inputs.masks, inputs.source, inputs.regions], dim=1)
        return self.clip(inputs.source + self.decode(seen, inputs.noise))


class MaskOnlyGenerator(CellGenerator):
    """Generates from masks and noise without a source image, as published."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config, config.classes + 1)

    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """See `ImageGenerator`; the source image is ignored, and noise is an input."""
        seen = torch.cat([inputs.masks, inputs.noise], dim=1)
        image = self.decode(seen, inputs.noise)
        return torch.sigmoid(image) if self.bounded else image


def noise_levels(noise: torch.Tensor, count: int) -> list[torch.Tensor]:
    """Return noise of unit variance at full size and after each halving.

    The first half of the channels is constant over each image, for changes of the whole; the others
    are independent from voxel to voxel.

    Args:
        noise: standard normal (batch, channel, *shape).
        count: number of levels.
    """
    common, local = noise.tensor_split([noise.shape[1] // 2], dim=1)
    axes = tuple(range(2, noise.ndim))
    common = common.sum(axes, keepdim=True) / math.sqrt(math.prod(noise.shape[2:]))
    pool, levels = AveragePool(), []
    for level in range(count):
        if level:
            local = pool(local) * 2 ** (len(axes) / 2)
        shape = (-1, -1, *local.shape[2:])
        levels.append(torch.cat([common.expand(shape), local], dim=1))
    return levels
