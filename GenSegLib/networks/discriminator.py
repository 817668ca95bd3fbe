"""The discriminator: a conditional PatchGAN (Isola et al., CVPR 2017) with spectral norm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from monai.networks.layers.factories import Conv
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from .convolution import fix_small_grid_gradients


class Discriminator(nn.Module):
    """Scores overlapping patches of an image together with its masks.

    Spectral norm (Miyato et al., ICLR 2018) keeps the training stable on ten volumes.
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
        self.layers = fix_small_grid_gradients(nn.Sequential(*layers))
        for layer in layers[::2]:  # afterwards, since spectral norm changes a layer's class
            spectral_norm(layer)

    def forward(self, masks: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
        """Return a score for every patch: masks (b, class, *s), images (b, channel, *s)."""
        scores: torch.Tensor = self.layers(torch.cat([masks, images], dim=1))
        return scores


def _hinge_discriminator(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    return F.relu(1 - real).mean() + F.relu(1 + generated).mean()


def _hinge_generator(generated: torch.Tensor) -> torch.Tensor:
    return -generated.mean()


def _entropy_discriminator(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    return (F.softplus(-real).mean() + F.softplus(generated).mean()) / 2


def _entropy_generator(generated: torch.Tensor) -> torch.Tensor:
    return F.softplus(-generated).mean()


class AdversarialLoss(NamedTuple):
    """The losses of both sides, of the scores of real and generated pairs."""

    discriminator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    generator: Callable[[torch.Tensor], torch.Tensor]


# by the names of TrainConfig.adversarial_loss
ADVERSARIAL_LOSSES = {
    "hinge": AdversarialLoss(_hinge_discriminator, _hinge_generator),
    "cross-entropy": AdversarialLoss(_entropy_discriminator, _entropy_generator),
}
