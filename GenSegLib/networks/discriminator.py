"""The discriminator: a conditional PatchGAN (Isola et al., CVPR 2017) with spectral norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from .convolution import right_on_small_grids


class Discriminator(nn.Module):
    """Judges overlapping patches of an image together with its masks.

    Spectral norm (Miyato et al., ICLR 2018) keeps it stable on ten volumes.
    """

    def __init__(
        self,
        classes: int,
        channels: int = 1,
        spatial_dims: int = 3,
        widths: Sequence[int] = (16, 32, 32),
    ) -> None:
        super().__init__()
        convolution = Conv[Conv.CONV, spatial_dims]
        layers: list[nn.Module] = []
        inputs = classes + channels
        for width in widths:
            layers.append(convolution(inputs, width, kernel_size=4, stride=2, padding=1))
            layers.append(nn.LeakyReLU(0.2))
            inputs = width
        layers.append(convolution(inputs, 1, kernel_size=3, padding=1))
        self.layers = right_on_small_grids(nn.Sequential(*layers))
        for layer in layers[::2]:  # not earlier: what is normalized is of another class
            spectral_norm(layer)

    def forward(self, masks: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Return a score for every patch: masks (b, class, *s), images (b, channel, *s)."""
        scores: torch.Tensor = self.layers(torch.cat([masks, images], dim=1))
        return scores


def discriminator_loss(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """Return the hinge loss of the scores of real and generated pairs."""
    return F.relu(1 - real).mean() + F.relu(1 + generated).mean()


def adversarial_loss(generated: torch.Tensor) -> torch.Tensor:
    """Return the generator's side of the hinge loss."""
    return -generated.mean()


def discriminator_entropy(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """Return the mean cross-entropy of taking real pairs for real, and generated ones for not."""
    return (F.softplus(-real).mean() + F.softplus(generated).mean()) / 2


def adversarial_entropy(generated: torch.Tensor) -> torch.Tensor:
    """Return the generator's side: the cross-entropy of taking generated pairs for real."""
    return F.softplus(-generated).mean()


class Adversary(NamedTuple):
    """What of the scores of real and generated pairs each side minimizes."""

    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    verdict: Callable[[torch.Tensor], torch.Tensor]


# by the names of TrainConfig.adversary
ADVERSARIES = {
    "hinge": Adversary(discriminator_loss, adversarial_loss),
    "cross-entropy": Adversary(discriminator_entropy, adversarial_entropy),
}
