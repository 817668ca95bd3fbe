"""A 2-D network as a network of volumes: every slice is segmented by itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..presets import Preset


class SliceWise(nn.Module):
    """Apply a 2-D network to each slice along the last axis, with its neighbors as channels.

    The counterpart of `augmentation.patches.SliceSampler`. Volumes (batch, channel, x, y, z) become
    logits (batch, class, x, y, z); beyond the first and last slice they repeat.

    Args:
        network: from (batch, channel * (1 + 2 context), x, y) to logits (batch, class, x, y).
        context: number of neighboring slices on either side.
    """

    def __init__(self, network: nn.Module, context: int = 0) -> None:
        super().__init__()
        self.network, self.context = network, context

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Segment volumes (batch, channel, x, y, z)."""
        batch, _, x, y, count = volumes.shape
        padded = F.pad(volumes, [self.context, self.context, 0, 0, 0, 0], mode="replicate")
        neighborhoods = padded.unfold(4, 1 + 2 * self.context, 1)  # (b, c, x, y, z, neighbor)
        slices = neighborhoods.permute(0, 4, 1, 5, 2, 3).reshape(batch * count, -1, x, y)
        logits: torch.Tensor = self.network(slices.contiguous())
        return logits.reshape(batch, count, -1, x, y).permute(0, 2, 3, 4, 1)


def as_volume_network(network: nn.Module, preset: Preset) -> nn.Module:
    """Return a preset's segmenter as a network of volumes (batch, channel, x, y, z)."""
    return network if preset.spatial_dims == 3 else SliceWise(network, preset.context_slices)
