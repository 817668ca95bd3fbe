"""What all generators have in common: the door through which levels 1 and 2 use them.

Level 2 draws images (:meth:`ImageGenerator.drawn`). Level 1 asks for an attempt at real images
(:meth:`ImageGenerator.attempt`), compares it with them and has it judged by the adversary; what a
kind of generator adds to that loss is the attempt's price.
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
class Design:
    """What a generator is built for.

    Attributes:
        classes: classes of the one-hot masks, background included.
        channels: image channels.
        spatial_dims: 2 or 3.
        widths: channels at full size and after each halving; multiples of 16 are by far the
            fastest in bfloat16.
        coordinates: also see where a voxel lies.
        bounded: keep images from 0 to 1, as windowed ones are.
        space: the search space of cells, ``light`` or ``paper``; most generators have none.
    """

    classes: int
    channels: int = 1
    spatial_dims: int = 3
    widths: Sequence[int] = (16, 32, 64)
    coordinates: bool = False
    bounded: bool = False
    space: str = "light"

    @property
    def places(self) -> int:
        """Channels of the coordinates, where they are seen."""
        return self.spatial_dims if self.coordinates else 0

    @property
    def steps(self) -> list[tuple[int, int]]:
        """The channels before and after each halving."""
        return list(zip(self.widths, self.widths[1:]))


class Seen(NamedTuple):
    """What a generator sees, all of one batch.

    Attributes:
        masks: one-hot masks (batch, class, *shape); shape is a multiple of ``multiple``.
        source: real images moved onto the masks (batch, channel, *shape).
        noise: (batch, *noise_shape(shape)), normal; another noise gives another image.
        coordinates: (batch, dims, *shape), for a generator that sees them.
    """

    masks: torch.Tensor
    source: torch.Tensor
    noise: torch.Tensor
    coordinates: torch.Tensor | None = None


class ImageGenerator(nn.Module, ABC):
    """Maps masks, a source image and noise to an image.

    Attributes:
        multiple: what image sizes are multiples of.
    """

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.multiple = 2 ** len(design.steps)
        self.bounded = design.bounded

    @abstractmethod
    def drawn(self, seen: Seen) -> torch.Tensor:
        """Return images (batch, channel, *shape)."""

    def forward(self, *seen: torch.Tensor) -> torch.Tensor:
        """Return the images that are :meth:`drawn` from the tensors of `Seen`, in its order."""
        return self.drawn(Seen(*seen))

    def attempt(self, images: torch.Tensor, seen: Seen) -> tuple[torch.Tensor, torch.Tensor]:
        """Return an attempt at real images (batch, channel, *shape) and its price (batch,).

        For most generators that is what they draw, free of charge.
        """
        return self.drawn(seen), seen.source.new_zeros(len(seen.source))

    def noise_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape (channels, ...) of the noise for an image of a shape."""
        return (1, *shape)

    def within_bounds(self, images: torch.Tensor) -> torch.Tensor:
        """Return the images, from 0 to 1 where they are bounded."""
        return images.clamp(0, 1) if self.bounded else images

    def cells(self) -> dict[str, SearchableCell]:
        """Return the searchable cells by their place; most generators have none."""
        return {}

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


class Attempt(nn.Module):
    """A generator's attempts as the output of a module, as functional calls need it."""

    def __init__(self, generator: ImageGenerator) -> None:
        super().__init__()
        self.generator = generator

    def forward(
        self, images: torch.Tensor, *seen: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See :meth:`ImageGenerator.attempt`."""
        return self.generator.attempt(images, Seen(*seen))


def zeroed(layer: nn.Module) -> nn.Module:
    """Return the layer with weights of zero: what it adds is nothing before it has trained."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
