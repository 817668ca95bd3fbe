"""The mask-to-image generator: an encoder-decoder of searchable cells.

It starts from a real image that was moved onto the new mask and adds a learned residual, which is
zero before training: a generated pair is never worse than an augmented one at the start, and both
the adversary and the segmenter's feedback have something to improve.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from .cells import CONVOLUTION, TRANSPOSED, SearchableCell
from .image_generator import ImageGenerator, zeroed


class Generator(ImageGenerator):
    """Adds a learned residual to the source image.

    Args:
        classes: classes of the one-hot masks, background included.
        channels: image channels.
        spatial_dims: 2 or 3.
        widths: channels at full size and after each halving; multiples of 16 are by far the
            fastest in bfloat16.
        space: the search space of the cells, ``light`` or ``paper``.
        coordinates: also see where a voxel lies.
        bounded: keep images from 0 to 1, as windowed ones are.
    """

    sees_source = True

    def __init__(
        self,
        classes: int,
        channels: int = 1,
        spatial_dims: int = 3,
        widths: Sequence[int] = (16, 32, 64),
        space: str = "light",
        coordinates: bool = False,
        bounded: bool = False,
    ) -> None:
        super().__init__(widths, bounded)
        convolution = Conv[CONVOLUTION, spatial_dims]
        seen = classes + 1 + (channels if self.sees_source else 0)
        seen += spatial_dims if coordinates else 0
        self.stem = nn.Sequential(
            convolution(seen, widths[0], kernel_size=3, padding=1), nn.LeakyReLU(0.2)
        )
        pairs = list(zip(widths, widths[1:]))
        self.encoder = nn.ModuleList(
            SearchableCell(CONVOLUTION, spatial_dims, fine, coarse, space) for fine, coarse in pairs
        )
        self.decoder = nn.ModuleList(
            SearchableCell(TRANSPOSED, spatial_dims, coarse if last else 2 * coarse, fine, space)
            for last, (fine, coarse) in zip([True, *[False] * (len(pairs) - 1)], reversed(pairs))
        )
        self.head = convolution(2 * widths[0], channels, kernel_size=3, padding=1)
        if self.sees_source:
            zeroed(self.head)

    def forward(
        self,
        masks: torch.Tensor,
        source: torch.Tensor,
        noise: torch.Tensor,
        coordinates: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """See `ImageGenerator`."""
        return self.within_bounds(source + self.decoded(masks, source, noise, coordinates))

    def decoded(self, *seen: torch.Tensor | None) -> torch.Tensor:
        """Return what encoder and decoder make of all that is seen."""
        features = self.stem(torch.cat([each for each in seen if each is not None], dim=1))
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
            f"{part} {place}": cell
            for part, cells in parts.items()
            for place, cell in enumerate(cells)
            if isinstance(cell, SearchableCell)
        }


class MaskGenerator(Generator):
    """Draws from masks and noise alone, as published, and knows nothing of a source image."""

    sees_source = False

    def forward(
        self,
        masks: torch.Tensor,
        source: torch.Tensor,
        noise: torch.Tensor,
        coordinates: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """See `ImageGenerator`; the source image goes unseen."""
        drawn = self.decoded(masks, noise, coordinates)
        return torch.sigmoid(drawn) if self.bounded else drawn
