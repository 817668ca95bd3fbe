"""A 2-D network as a network of volumes: every slice is segmented by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:  # exported bundles contain this file alone
    from ..presets import Preset


class SliceWise(nn.Module):
    """Apply a 2-D network to each slice along the last axis, with its neighbors as channels.

    The counterpart of `augmentation.patches.SliceSampler`. Volumes (batch, channel, x, y, z) become
    logits (batch, class, x, y, z).

    Args:
        network: from (batch, channel * (1 + 2 context), x, y) to logits (batch, class, x, y).
        context: number of neighboring slices on either side.
        pad: repeat the first and last slice as their neighbors; otherwise volumes have `context`
            more slices on either side than the logits, as windows of a larger volume do.
    """

    def __init__(self, network: nn.Module, context: int = 0, pad: bool = True) -> None:
        super().__init__()
        self.network, self.context, self.pad = network, context, pad

    def forward(self, volumes: torch.Tensor) -> torch.Tensor:
        """Segment volumes (batch, channel, x, y, z)."""
        context, batch = self.context, volumes.shape[0]
        if context and self.pad:
            volumes = F.pad(volumes, [context, context, 0, 0, 0, 0], mode="replicate")
        count = volumes.shape[-1] - 2 * context
        neighbors = [volumes[..., first : first + count] for first in range(1 + 2 * context)]
        slices = torch.stack(neighbors, dim=2).permute(0, 5, 1, 2, 3, 4)
        logits: torch.Tensor = self.network(slices.flatten(2, 3).flatten(0, 1))
        return logits.reshape(batch, count, *logits.shape[1:]).permute(0, 2, 3, 4, 1)


def as_volume_network(network: nn.Module, preset: Preset) -> nn.Module:
    """Return a preset's segmenter as a network of whole volumes (batch, channel, x, y, z)."""
    return network if preset.spatial_dims == 3 else SliceWise(network, preset.context_slices)


def as_window_network(network: nn.Module, preset: Preset) -> nn.Module:
    """Return a preset's segmenter as a network of windows of volumes (batch, channel, x, y, z).

    See `prediction.sliding_window.SlidingWindows.for_preset` for the windows.
    """
    if preset.spatial_dims == 3:
        return network
    return SliceWise(network, preset.context_slices, pad=False)
