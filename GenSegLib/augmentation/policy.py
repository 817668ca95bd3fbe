"""The standard augmentation of real image-label pairs, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from ..presets import Preset
from .color import hue, saturation, white_balance
from .intensity import (
    Strength,
    bias_field,
    contrast,
    gamma,
    gaussian_blur,
    low_resolution,
    noise,
    thick_slices,
)
from .occlusions import hair, highlights
from .random_generator import RandomGenerator
from .spatial import NO_DEFORMATION, SpatialStrength, deform, random_grid
from .ultrasound import speckle, time_gain

# intensity transforms with a strength, by the names of the policy's attributes, in their order;
# each leaves images as they are at a strength of 0
INTENSITY_TRANSFORMS = {
    "contrast": contrast,
    "gamma": gamma,
    "saturation": saturation,
    "hue": hue,
    "white_balance": white_balance,
    "time_gain": time_gain,
    "speckle": speckle,
    "hair": hair,
    "highlights": highlights,
    "noise": noise,
    "bias_field": bias_field,
}
COLOR_TRANSFORMS = ("saturation", "hue", "white_balance")
Transform = Callable[[torch.Tensor], torch.Tensor]
PairChange = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
_SENSOR = ("noise", "bias_field")  # after the blur of the optics
_THICKEST_MM = 6.0  # slices of other scanners
_OPTIONAL = ("time_gain", "speckle", "hair", "highlights")


@dataclass(frozen=True)
class AugmentationPolicy:
    """Strengths of `INTENSITY_TRANSFORMS` (0: never applied) and their probability per sample.

    `blur` is a range of sigmas in voxels, `low_resolution` a range of downsampling factors.
    `thickest` has the largest thickness of slices along each axis in voxels; none are thick if it
    is empty.
    `bounded` images are clipped to [0, 1], the range of an HU window. Groups of `joint_channels`
    channels, such as neighboring slices or colors, get the same contrast.
    """

    spatial: SpatialStrength = field(default_factory=SpatialStrength)
    contrast: Strength = 0.22
    gamma: Strength = 0.38
    noise: Strength = 0.3
    saturation: Strength = 0.0
    hue: Strength = 0.0
    white_balance: Strength = 0.0
    time_gain: Strength = 0.0
    speckle: Strength = 0.0
    hair: Strength = 0.0
    highlights: Strength = 0.0
    bias_field: Strength = 0.0
    blur: tuple[float, float] = (0.4, 1.0)
    low_resolution: tuple[float, float] = (1.2, 2.0)
    thickest: tuple[float, ...] = ()
    probability: float = 0.3
    bounded: bool = False
    joint_channels: int = 1

    @classmethod
    def for_preset(cls, preset: Preset) -> AugmentationPolicy:
        """Return the standard policy for a preset's images.

        Windowed images, in [0, 1], have about a third of the spread of z-scored ones.
        """
        spread = 0.3 if preset.intensity.kind == "window" else 1.0
        strengths = preset.augmentation
        named = (*COLOR_TRANSFORMS, *_OPTIONAL) if preset.has_colors else _OPTIONAL
        return cls(
            spatial=SpatialStrength(
                rotation=strengths.rotation,
                turned=strengths.turned,
                scale=strengths.scale,
                elastic=strengths.elastic,
                mirror_axes=preset.mirror_axes,
                spacing=preset.spacing,
            ),
            contrast=strengths.contrast * spread,
            gamma=strengths.gamma,
            noise=strengths.noise * spread,
            **{name: getattr(strengths, name) for name in named},
            bias_field=0.3 if preset.bias_field else 0.0,
            bounded=preset.intensity.kind == "window",
            joint_channels=preset.input_channels // (1 if preset.has_colors else preset.channels),
        )

    def for_other_scanners(self) -> AugmentationPolicy:
        """Return a policy whose volumes may have thick slices along any axis."""
        spacing = self.spatial.spacing or ()
        if len(spacing) < 3:
            return self  # slices are segmented one by one
        return replace(self, thickest=tuple(max(1.0, _THICKEST_MM / size) for size in spacing))

    def geometric(self) -> AugmentationPolicy:
        """Return a policy of rotations, translations and flips alone."""
        spatial = replace(self.spatial, scale=0.0, elastic=0.0, turned=0.0)
        return replace(self, spatial=spatial, probability=0.0)

    def scaled(self, factor: float) -> AugmentationPolicy:
        """Return a policy that is ``factor`` times as strong; 0 disables augmentation."""
        return replace(
            self,
            spatial=self.spatial.scaled(factor) if factor > 0 else NO_DEFORMATION,
            probability=self.probability if factor > 0 else 0.0,
            **{name: getattr(self, name) * factor for name in INTENSITY_TRANSFORMS},
        )


def apply_transform(
    images: torch.Tensor, name: str, policy: AugmentationPolicy, rng: RandomGenerator
) -> torch.Tensor:
    """Apply one of ``INTENSITY_TRANSFORMS`` with the policy's strength."""
    strength = getattr(policy, name)
    if name == "contrast":
        transformed = contrast(images, strength, rng, policy.joint_channels)
    else:
        transformed = INTENSITY_TRANSFORMS[name](images, strength, rng)
    return transformed.clamp(0, 1) if policy.bounded else transformed


def augment(
    images: torch.Tensor,
    labels: torch.Tensor,
    classes: int,
    policy: AugmentationPolicy,
    rng: RandomGenerator,
    size: Sequence[int] | None = None,
    change: PairChange | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Deform images with their labels, then change intensities.

    Args:
        images: (batch, channel, *s).
        labels: (batch, 1, *s), integer.
        classes: number of classes, background included.
        policy: strengths.
        rng: random generator.
        size: size of the result, around the same center; that of the images by default. What lies
            beyond is a margin, from which rotated corners are filled.
        change: what is done to the deformed pairs before their intensities change.
    """
    source = tuple(images.shape[2:])
    grid = random_grid(rng, len(images), tuple(size or source), policy.spatial, source)
    images, labels = deform(images, labels, classes, grid)
    if change is not None:
        images, labels = change(images, labels)
    return augment_intensity(images, policy, rng), labels


def augment_intensity(
    images: torch.Tensor, policy: AugmentationPolicy, rng: RandomGenerator
) -> torch.Tensor:
    """Apply the policy's intensity transforms, each to a random subset of the batch."""
    sigma = float(rng.uniform(1, low=policy.blur[0], high=policy.blur[1]))
    factor = float(rng.uniform(1, low=policy.low_resolution[0], high=policy.low_resolution[1]))
    named: dict[str, Transform] = {
        name: partial(apply_transform, name=name, policy=policy, rng=rng)
        for name in INTENSITY_TRANSFORMS
        if getattr(policy, name) > 0
    }
    optics: list[Transform] = [
        partial(gaussian_blur, sigma=sigma),
        partial(low_resolution, factor=factor),
    ]
    if policy.thickest:
        axis = rng.integers(len(policy.thickest), 1)[0]
        thickness = float(rng.uniform(1, low=1.0, high=policy.thickest[axis]))
        optics.append(partial(thick_slices, axis=axis, factor=thickness))
    scene = [transform for name, transform in named.items() if name not in _SENSOR]
    sensor = [transform for name, transform in named.items() if name in _SENSOR]
    for transform in (*scene, *optics, *sensor):
        chosen = rng.bernoulli(len(images), policy.probability, 0).flatten().nonzero().flatten()
        if len(chosen):
            images = images.index_put((chosen,), transform(images[chosen]))
    return images
