"""Features of images at full size and after each halving, of MONAI's blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import torch
from monai.networks.blocks.convolutions import Convolution
from torch import nn

LEAKY = ("leakyrelu", {"negative_slope": 0.2})


def group_norm(channels: int, *, affine: bool = True) -> tuple[str, dict[str, object]]:
    """Return MONAI's name of a normalization in groups of channels, at most eight."""
    return "group", {"num_groups": min(8, channels), "affine": affine}


class Pyramid(nn.Module):
    """An encoder whose features of every size are wanted.

    Args:
        spatial_dims: 2 or 3.
        inputs: channels of all that is seen.
        widths: channels at full size and after each halving.
    """

    def __init__(self, spatial_dims: int, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = Convolution(spatial_dims, inputs, widths[0], act=LEAKY, norm=None)
        self.halvings = nn.ModuleList(
            Convolution(spatial_dims, fine, coarse, strides=2, act=LEAKY, norm=group_norm(coarse))
            for fine, coarse in zip(widths, widths[1:])
        )

    def forward(self, *seen: torch.Tensor | None) -> list[torch.Tensor]:
        """Return the features (batch, width, *size), fine to coarse, of what is given."""
        given = torch.cat([each for each in seen if each is not None], dim=1)
        features = []
        for layer in chain([self.stem], self.halvings):
            given = layer(given)
            features.append(given)
        return features
