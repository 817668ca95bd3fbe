"""The interface of all generators.

Level 2 generates images for new masks. Level 1 reconstructs real images from their masks, regions
and source images of other cases; its loss compares both and adds an adversarial loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from .cells import SearchableCell


@dataclass(frozen=True)
class GeneratorConfig:
    """Configuration of a generator.

    Attributes:
        classes: channels of the one-hot masks, background included.
        channels: image channels.
        spatial_dims: 2 or 3.
        widths: channels at full size and after each halving; multiples of 16 are by far the
            fastest in bfloat16.
        bounded: clip images to [0, 1], the range of windowed ones.
        space: search space of the cells, ``light`` or ``paper``; unused without cells.
    """

    classes: int
    channels: int = 1
    spatial_dims: int = 3
    widths: Sequence[int] = (16, 32, 64)
    bounded: bool = False
    space: str = "light"

    @property
    def steps(self) -> list[tuple[int, int]]:
        """Channels before and after each halving."""
        return list(zip(self.widths, self.widths[1:]))


class GeneratorInputs(NamedTuple):
    """A batch of inputs of a generator.

    Attributes:
        masks: one-hot masks (batch, class, *shape); shape is a multiple of ``multiple``.
        source: real images warped onto the masks (batch, channel, *shape).
        noise: standard normal (batch, ``noise_channels``, *shape).
        regions: mean intensity of each voxel's region in the image that belongs to the masks
            (batch, channel, *shape), for a generator that ``sees_regions``; else without channels.
    """

    masks: torch.Tensor
    source: torch.Tensor
    noise: torch.Tensor
    regions: torch.Tensor


class ImageGenerator(nn.Module, ABC):
    """Maps masks, regions, a source image and noise to an image.

    Attributes:
        multiple: image sizes must be multiples of it.
        sees_regions: whether it gets the mean intensity of each voxel's region.
        noise_channels: channels of its noise.
    """

    sees_regions = False
    noise_channels = 1

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.multiple = 2 ** len(config.steps)
        self.bounded = config.bounded

    @abstractmethod
    def generate(self, inputs: GeneratorInputs) -> torch.Tensor:
        """Return images (batch, channel, *shape)."""

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Call :meth:`generate` with the tensors of `GeneratorInputs`, in its order."""
        return self.generate(GeneratorInputs(*inputs))

    def clip(self, images: torch.Tensor) -> torch.Tensor:
        """Clip bounded images to [0, 1]."""
        return images.clamp(0, 1) if self.bounded else images

    def cells(self) -> dict[str, SearchableCell]:
        """Return the searchable cells by their position; most generators have none."""
        return {}

    def architecture(self) -> dict[str, nn.Parameter]:
        """Return the architecture weights (upper level) by their names."""
        named = self.named_parameters()
        return {name: weight for name, weight in named if name.endswith("architecture")}

    def weights(self) -> dict[str, nn.Parameter]:
        """Return the other weights (lower level) by their names."""
        named = self.named_parameters()
        return {name: weight for name, weight in named if not name.endswith("architecture")}


def zero_init(layer: nn.Module) -> nn.Module:
    """Set a layer's parameters to zero: the residual it adds is zero before training."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
