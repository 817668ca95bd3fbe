"""The standard augmentation of real image-label pairs, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from ..presets import Preset
from .intensity import Strength, bias_field, contrast, gamma, gaussian_blur, low_resolution, noise
from .randomness import Randomness
from .spatial import STILL, SpatialStrength, deform, random_grid

# The changes that have a strength, which a policy names as they are named here.
CHANGES = {"contrast": contrast, "gamma": gamma, "noise": noise, "bias_field": bias_field}


@dataclass(frozen=True)
class Policy:
    """What is changed, how strongly (see :mod:`.intensity`) and in which share of the samples.

    Where images are `bounded` they stay from 0 to 1, as a window of HU leaves them.
    """

    spatial: SpatialStrength = field(default_factory=SpatialStrength)
    contrast: Strength = 0.22
    gamma: Strength = 0.38
    noise: Strength = 0.3
    bias_field: Strength = 0.0
    blur: tuple[float, float] = (0.4, 1.0)
    low_resolution: tuple[float, float] = (1.2, 2.0)
    probability: float = 0.3
    bounded: bool = False

    @classmethod
    def of(cls, preset: Preset) -> Policy:
        """Return the standard policy for a preset's images.

        Windowed images lie in [0, 1] with about a third of the spread of z-scored ones.
        """
        spread = 1.0 if preset.intensity.kind == "zscore" else 0.3
        return cls(
            spatial=SpatialStrength(mirror_axes=preset.mirror_axes),
            contrast=0.22 * spread,
            noise=0.3 * spread,
            bias_field=0.3 if preset.bias_field else 0.0,
            bounded=preset.intensity.kind == "window",
        )

    def scaled(self, factor: float) -> Policy:
        """Return a policy whose changes are ``factor`` times as strong; with 0 nothing changes."""
        return replace(
            self,
            spatial=self.spatial.scaled(factor) if factor > 0 else STILL,
            probability=self.probability if factor > 0 else 0.0,
            **{name: getattr(self, name) * factor for name in CHANGES},
        )


def changed(images: torch.Tensor, name: str, policy: Policy, rng: Randomness) -> torch.Tensor:
    """Return images with one of the ``CHANGES``, in the policy's strength."""
    found = CHANGES[name](images, getattr(policy, name), rng)
    return found.clamp(0, 1) if policy.bounded else found


def augment(
    images: torch.Tensor, labels: torch.Tensor, classes: int, policy: Policy, rng: Randomness
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return deformed and re-colored copies of images (b, c, *s) and labels (b, 1, *s)."""
    grid = random_grid(rng, images.shape[0], tuple(images.shape[2:]), policy.spatial)
    images, labels = deform(images, labels, classes, grid)
    return recolor(images, policy, rng), labels


def recolor(images: torch.Tensor, policy: Policy, rng: Randomness) -> torch.Tensor:
    """Return images with changed intensities; each change meets its own share of the samples."""
    blur = float(rng.uniform(1, low=policy.blur[0], high=policy.blur[1]))
    factor = float(rng.uniform(1, low=policy.low_resolution[0], high=policy.low_resolution[1]))
    changes: list[Callable[[torch.Tensor], torch.Tensor]] = [
        lambda x: changed(x, "contrast", policy, rng),
        lambda x: changed(x, "gamma", policy, rng),
        lambda x: gaussian_blur(x, blur),
        lambda x: low_resolution(x, factor),
        lambda x: changed(x, "noise", policy, rng),
    ]
    if policy.bias_field > 0:
        changes.append(lambda x: changed(x, "bias_field", policy, rng))
    for change in changes:
        gate = rng.gate(images.shape[0], policy.probability, images.ndim - 2)
        if gate.any():
            images = torch.where(gate > 0, change(images), images)
    return images
