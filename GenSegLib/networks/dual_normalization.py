"""A DynUNet that normalizes recolored images with parameters of their own.

One set of parameters for real and recolored images costs accuracy on the training's own scanner,
since the statistics of their features differ. Two sets share all convolutions (domain-specific
normalization: Chang et al., CVPR 2019; of original and changed images: Zhou et al., CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from .deep_supervision import LevelDynUNet

REAL, RECOLORED = 0, 1  # places of their parameters

_INSTANCE_NORMS = (nn.InstanceNorm2d, nn.InstanceNorm3d)
_LEAST_PROBABILITY = 1e-7


class DualInstanceNorm(nn.Module):
    """Instance normalization with two sets of scales and offsets.

    Attributes:
        norm: without scales and offsets.
        chosen: set of each sample, or one for all of them.
    """

    def __init__(self, norm: nn.InstanceNorm2d | nn.InstanceNorm3d) -> None:
        super().__init__()
        self.norm = type(norm)(norm.num_features, norm.eps)
        self.weight = nn.Parameter(torch.ones(2, norm.num_features))
        self.bias = nn.Parameter(torch.zeros(2, norm.num_features))
        self.chosen: Sequence[int] = (REAL,)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalize images (batch, channel, *s)."""
        sides = (1,) * (images.ndim - 2)
        scale, offset = (
            torch.stack([values[place] for place in self.chosen]).unflatten(1, (-1, *sides))
            for values in (self.weight.to(images.dtype), self.bias.to(images.dtype))
        )
        return self.norm(images) * scale + offset


class DualDynUNet(LevelDynUNet):
    """DynUNet with two sets of normalization parameters, for real and for recolored images.

    Images of training batches have a further channel, which is 1 for recolored samples and 0 for
    others (`mark_recolored`); without it, samples in training mode are real ones. In evaluation
    mode images have no mark, and the logits are those of the mean probability of both sets.
    """

    def __init__(self, in_channels: int, **arguments: Any) -> None:
        super().__init__(in_channels=in_channels, **arguments)
        self.image_channels = in_channels
        for module in list(self.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, _INSTANCE_NORMS):
                    setattr(module, name, DualInstanceNorm(child))

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """Map images (batch, channel, *s) to logits, in training mode of all levels."""
        if images.shape[1] > self.image_channels:
            marks = images[:, -1].flatten(1)[:, 0]
            return self._segment(images[:, :-1], [round(mark) for mark in marks.tolist()])
        if self.training:
            return self._segment(images, [REAL])
        logits = [self._segment(images, [place]) for place in (REAL, RECOLORED)]
        probabilities = torch.stack([each.float().softmax(1) for each in logits]).mean(0)
        return probabilities.clamp_min(_LEAST_PROBABILITY).log()

    def _segment(self, images: torch.Tensor, chosen: Sequence[int]) -> Any:
        for module in self.modules():
            if isinstance(module, DualInstanceNorm):
                module.chosen = chosen
        return super().forward(images)


def mark_recolored(images: torch.Tensor, is_recolored: torch.Tensor) -> torch.Tensor:
    """Return images (batch, channel, *s) with a further channel that marks samples (batch,)."""
    shape = (len(images), *[1] * (images.ndim - 1))
    marks = is_recolored.to(images).reshape(shape).expand(-1, 1, *images.shape[2:])
    return torch.cat([images, marks], dim=1)
