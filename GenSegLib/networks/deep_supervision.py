"""MONAI's DynUNet with the logits of deep supervision at their own resolution.

MONAI upsamples the logits of all levels to full size. A loss on them takes a third of a training
step with 14 classes; at their own resolution it takes half of that.
"""

from __future__ import annotations

import torch
from monai.networks.nets import DynUNet
from torch import nn


class LevelDynUNet(DynUNet):
    """DynUNet that in training mode returns a tuple of logits, finest level first."""

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Map images (batch, channel, *s) to logits, in training mode of all levels."""
        logits: torch.Tensor = self.output_block(self.skip_layers(images))
        if self.training and self.deep_supervision:
            return (logits, *self.heads)
        return logits


def keep_resolution_of_levels(network: nn.Module) -> nn.Module:
    """Make a DynUNet a `LevelDynUNet` in place.

    Other networks are returned unchanged; parameters and their names stay.
    """
    if type(network) is DynUNet:
        network.__class__ = LevelDynUNet
    return network
