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


class Generator(nn.Module):
    """Maps masks, a source image and noise to an image.

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
        super().__init__()
        self.bounded = bounded
        convolution = Conv[CONVOLUTION, spatial_dims]
        inputs = classes + channels + 1 + (spatial_dims if coordinates else 0)
        self.stem = nn.Sequential(
            convolution(inputs, widths[0], kernel_size=3, padding=1), nn.LeakyReLU(0.2)
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
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.multiple = 2 ** len(pairs)

    def forward(
        self,
        masks: torch.Tensor,
        source: torch.Tensor,
        noise: torch.Tensor,
        coordinates: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return images (batch, channel, *shape).

        Args:
            masks: one-hot masks (batch, class, *shape); shape is a multiple of ``multiple``.
            source: real images moved onto the masks (batch, channel, *shape).
            noise: (batch, 1, *shape); another noise gives another image.
            coordinates: (batch, dims, *shape), for a generator that sees them.
        """
        places = [] if coordinates is None else [coordinates]
        features = self.stem(torch.cat([masks, source, noise, *places], dim=1))
        skips = []
        for cell in self.encoder:
            skips.append(features)
            features = cell(features)
        for cell in self.decoder:
            features = torch.cat([cell(features), skips.pop()], dim=1)
        image = source + self.head(features)
        return image.clamp(0, 1) if self.bounded else image

    def cells(self) -> dict[str, SearchableCell]:
        """Return the searchable cells by their place, coarse to fine in the decoder."""
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        return {
            f"{part} {place}": cell
            for part, cells in parts.items()
            for place, cell in enumerate(cells)
            if isinstance(cell, SearchableCell)
        }

    def architecture(self) -> dict[str, nn.Parameter]:
        """Return the architecture weights, which belong to the upper level, by their name."""
        named = self.named_parameters()
        return {name: weight for name, weight in named if name.endswith("architecture")}

    def weights(self) -> dict[str, nn.Parameter]:
        """Return the generator's own weights, which belong to the lower level, by their name."""
        named = self.named_parameters()
        return {name: weight for name, weight in named if not name.endswith("architecture")}

    def reduce(self) -> dict[str, str]:
        """Reduce every cell to its best operation; return the operations' names by cell."""
        return {place: cell.reduce() for place, cell in self.cells().items()}
