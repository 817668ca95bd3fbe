"""The upper-level variables beside the architecture: weight and appearance of generated pairs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import torch
from torch import nn

from ..augmentation.policy import (
    INTENSITY_TRANSFORMS,
    AugmentationPolicy,
    apply_transform,
    augment_intensity,
)
from ..augmentation.random_generator import RandomGenerator

# parameters by the names of the setting `frozen`
FREEZABLE = {
    "weight": "weight_logit",
    "residual": "residual_logit",
    "appearance": "log_strengths",
}


def scaled_sigmoid(logit: torch.Tensor) -> torch.Tensor:
    """Return a factor in (0, 2) that is 1 at a logit of 0."""
    return 2 * torch.sigmoid(logit)


class UpperVariables(nn.Module):
    """Weight of generated pairs, scale of the residual, strengths of intensity transforms.

    Attributes:
        weight_logit: logit of the weight of generated pairs, see `scaled_sigmoid`.
        residual_logit: logit of the scale of the generator's residual.
        log_strengths: log strengths of the intensity transforms, initially those of the policy.
        allowed: factors on the strengths that follow from a clinician's feedback; not learned.
    """

    def __init__(self, policy: AugmentationPolicy) -> None:
        super().__init__()
        strengths = {name: getattr(policy, name) for name in INTENSITY_TRANSFORMS}
        self.transforms = tuple(name for name, strength in strengths.items() if strength > 0)
        self.weight_logit = nn.Parameter(torch.zeros(()))
        self.residual_logit = nn.Parameter(torch.zeros(()))
        self.policy = policy
        self.log_strengths = nn.Parameter(
            torch.tensor([math.log(strengths[name]) for name in self.transforms])
        )
        self.allowed: torch.Tensor
        self.register_buffer("allowed", torch.ones(len(self.transforms)))

    def weight(self) -> torch.Tensor:
        """Return the weight of generated pairs, in (0, 2)."""
        return scaled_sigmoid(self.weight_logit)

    def forward(
        self, source: torch.Tensor, generated: torch.Tensor, rng: RandomGenerator
    ) -> torch.Tensor:
        """Return generated images (batch, channel, *shape) with scaled residual, augmented.

        They are augmented as real images are, with the learned strengths.
        """
        images = self.scale_residual(source, generated)
        augmented = augment_intensity(images, self._learned_policy(), rng)
        # Where no transform was sampled in this process, it still joins the others' gradients.
        return augmented + 0 * self.log_strengths.sum()

    def scale_residual(self, source: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
        """Return generated images with their residual scaled.

        Bounded images are clipped: a scale above 1 could leave the HU window.
        """
        scaled = source + scaled_sigmoid(self.residual_logit) * (generated - source)
        return scaled.clamp(0, 1) if self.policy.bounded else scaled

    def apply_transform(
        self, images: torch.Tensor, name: str, rng: RandomGenerator
    ) -> torch.Tensor:
        """Apply one intensity transform with its learned strength."""
        return apply_transform(images, name, self._learned_policy(), rng)

    def limit_strengths(self, factors: Mapping[str, float]) -> None:
        """Multiply the learned strengths by factors, by the names of the transforms."""
        for index, name in enumerate(self.transforms):
            self.allowed[index] = factors[name]

    def _learned_policy(self) -> AugmentationPolicy:
        return replace(self.policy, **dict(zip(self.transforms, self._strengths())))

    def _strengths(self) -> torch.Tensor:
        return self.log_strengths.exp() * self.allowed

    def names(self, parameters: Iterable[str]) -> list[str]:
        """Return the names in :meth:`values` of the entries of parameters."""
        names = {"weight_logit": ("weight",), "residual_logit": ("residual",)}
        return [name for key in parameters for name in names.get(key, self.transforms)]

    def values(self) -> dict[str, float]:
        """Return every variable by its name, as reports show them."""
        strengths = self._strengths().detach().tolist()
        return {
            "weight": float(self.weight().detach()),
            "residual": float(scaled_sigmoid(self.residual_logit.detach())),
            **dict(zip(self.transforms, strengths)),
        }
