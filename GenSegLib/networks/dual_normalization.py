"""A DynUNet that normalizes recolored images with parameters of their own.

One set of parameters for real and recolored images costs accuracy on the training's own scanner,
since the statistics of their features differ. Two sets share all convolutions (domain-specific
normalization: Chang et al., CVPR 2019; of original and changed images: Zhou et al., CVPR 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .deep_supervision import LevelDynUNet

REAL, RECOLORED = 0, 1  # places of their parameters

_INSTANCE_NORMS = (nn.InstanceNorm2d, nn.InstanceNorm3d)
_MIN_PROBABILITY = 1e-7
_SMOOTHING = 10.0  # voxels: images without structures agree
# Dice of both sets up to which the one for recolored images counts alone, and from which the other
# does; medians of volumes are 0.94 to 0.96 on the training's own and similar scanners, 0.85 on late
# enhancement after cine MR, and 0.72 on T2 MR after CT
_AGREEMENT = (0.85, 0.92)


class DualInstanceNorm(nn.Module):
    """Instance normalization with two sets of scales and offsets.

    Attributes:
        norm: without scales and offsets.
        chosen: set of each sample.
    """

    def __init__(self, norm: nn.InstanceNorm2d | nn.InstanceNorm3d) -> None:
        super().__init__()
        self.norm = type(norm)(norm.num_features, norm.eps)
        self.weight = nn.Parameter(torch.ones(2, norm.num_features))
        self.bias = nn.Parameter(torch.zeros(2, norm.num_features))
        self.chosen: Sequence[int] = ()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Normalize images (batch, channel, *s).

        Sample by sample, scaling costs nothing, and the memory format is preserved. Exporters,
        which trace batches of one set, replace the inner norm by one that runtimes compute exactly.
        """
        if torch.jit.is_tracing():
            sides = (1,) * (images.ndim - 2)
            scale, offset = (p[self.chosen[0]].view(-1, *sides) for p in (self.weight, self.bias))
            return self.norm(images) * scale + offset
        samples = zip(images.split(1), self.chosen)
        return torch.cat([self._scaled(image, place) for image, place in samples])

    def _scaled(self, image: torch.Tensor, place: int) -> torch.Tensor:
        scale, offset = self.weight[place], self.bias[place]
        return F.batch_norm(image, None, None, scale, offset, True, 0.0, self.norm.eps)


class DualDynUNet(LevelDynUNet):
    """DynUNet with two sets of normalization parameters, for real and for recolored images.

    Images of training batches have a further channel, which is 1 for recolored samples and 0 for
    others (`mark_recolored`); without it, samples in training mode are real ones. In evaluation
    mode images have no mark: if both sets agree on a batch, its images are like the real ones, and
    the logits are those of their set; if they do not, those of the set for recolored images.
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
            return self._segment(images, [REAL] * len(images))
        real, recolored = (
            self._segment(images, [place] * len(images)).float().softmax(1)
            for place in (REAL, RECOLORED)
        )
        weight = _weight_of_real(real, recolored)
        mean = weight * real + (1 - weight) * recolored
        return mean.clamp_min(_MIN_PROBABILITY).log()

    def _segment(self, images: torch.Tensor, chosen: Sequence[int]) -> Any:
        for module in self.modules():
            if isinstance(module, DualInstanceNorm):
                module.chosen = chosen
        return super().forward(images)


def _weight_of_real(real: torch.Tensor, recolored: torch.Tensor) -> torch.Tensor:
    """Return the weight of the set for real images, from the Dice of both segmentations.

    Args:
        real: probabilities (batch, class, *s) of its set, background first.
        recolored: those of the other set.
    """
    first, second = real.argmax(1), recolored.argmax(1)
    overlap = 2 * ((first == second) & (first > 0)).sum()
    dice = (overlap + _SMOOTHING) / ((first > 0).sum() + (second > 0).sum() + _SMOOTHING)
    low, high = _AGREEMENT
    return ((dice - low) / (high - low)).clamp(0, 1)


def mark_recolored(images: torch.Tensor, is_recolored: torch.Tensor) -> torch.Tensor:
    """Return images (batch, channel, *s) with a further channel that marks samples (batch,)."""
    shape = (len(images), *[1] * (images.ndim - 1))
    marks = is_recolored.to(images).reshape(shape).expand(-1, 1, *images.shape[2:])
    return torch.cat([images, marks], dim=1)
