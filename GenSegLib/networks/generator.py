"""The mask-to-image generator: an encoder-decoder of searchable cells.

It starts from a real image that was moved onto the new mask and adds a learned residual, which is
zero before training: a generated pair is never worse than an augmented one at the start, and both
the adversary and the segmenter's feedback have something to improve.
"""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Conv
from torch import nn

from .cells import CONVOLUTION, TRANSPOSED, SearchableCell
from .image_generator import Design, ImageGenerator, Seen, zeroed


class Generator(ImageGenerator):
    """Adds a learned residual to the source image."""

    sees_source = True

    def __init__(self, design: Design) -> None:
        super().__init__(design)
        dims, first, steps = design.spatial_dims, design.widths[0], design.steps
        convolution = Conv[CONVOLUTION, dims]
        seen = design.classes + 1 + (design.channels if self.sees_source else 0) + design.places
        self.stem = nn.Sequential(
            convolution(seen, first, kernel_size=3, padding=1), nn.LeakyReLU(0.2)
        )
        self.encoder = nn.ModuleList(
            SearchableCell(CONVOLUTION, dims, fine, coarse, design.space) for fine, coarse in steps
        )
        skipped = [0, *(coarse for _, coarse in reversed(steps[:-1]))]
        self.decoder = nn.ModuleList(
            SearchableCell(TRANSPOSED, dims, coarse + skip, fine, design.space)
            for skip, (fine, coarse) in zip(skipped, reversed(steps))
        )
        self.head = convolution(2 * first, design.channels, kernel_size=3, padding=1)
        if self.sees_source:
            zeroed(self.head)

    def drawn(self, seen: Seen) -> torch.Tensor:
        """See `ImageGenerator`."""
        return self.within_bounds(seen.source + self.decoded(*seen))

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

    def drawn(self, seen: Seen) -> torch.Tensor:
        """See `ImageGenerator`; the source image goes unseen."""
        drawn = self.decoded(seen.masks, seen.noise, seen.coordinates)
        return torch.sigmoid(drawn) if self.bounded else drawn
