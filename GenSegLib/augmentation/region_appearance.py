"""Random appearance per region: images of the same anatomy as another scanner might show it.

Every region of an image gets a mean and a contrast of its own. Its texture is kept, scaled,
inverted or replaced by noise, down to a Gaussian per region as in SynthSeg (Billot et al., Med
Image Anal 2023). The distributions are a dozen scalars, which the upper level can steer as in
Learn2Synth (Hu et al., ICCV 2025).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F

from ..presets import Preset
from .random_convolutions import random_convolutions
from .random_generator import RandomGenerator
from .region_table import RegionChange, RegionTable, TargetContrasts
from .spectrum import exchange_amplitudes

_LOGITS = (
    *("fraction", "kept_mean", "inversion", "synthesis", "mixing", "curve", "convolution"),
    *("exchange", "air", "target"),
)
_LOGS = ("mean_spread", "gain_spread", "noise", "growth", "augmentation")
# Smaller steps, since weaker augmentation can look better over a few steps and be worse in the end.
_FINENESS = {"augmentation": 3.0}
_MIN_PROBABILITY, _MAX_PROBABILITY = 0.02, 0.98  # probabilities that a search can still move
_HUE = 0.3  # spread of a color relative to that of the brightness
_CURVE_POINTS, _CURVE_REACH = 6, 2.5  # standard deviations of intensity
_GROWTH = 1.5  # voxels
_TEXTURE_RATIO = 4.0  # largest change of a texture's strength towards that of a target


Donors = Callable[[RandomGenerator, int], torch.Tensor]


@dataclass(frozen=True)
class AppearanceDistribution:
    """The distributions from which images are recolored; lengths in sd of a case's intensities.

    Attributes:
        fraction: of the images are recolored.
        mean_spread: standard deviation of the new means of regions.
        kept_mean: correlation of new means with those of the image.
        gain_spread: standard deviation of the log factor on a region's texture.
        inversion: probability that a region's texture is inverted.
        noise: largest standard deviation of noise per region.
        synthesis: probability that textures are replaced by noise of the same strength.
        mixing: probability that a recolored image is mixed with the original.
        curve: probability that intensities follow a random curve instead of regions.
        convolution: probability of random convolutions instead.
        exchange: probability of the style of another case instead, an unlabeled one if there are.
        air: probability that the darkest region of the background stays the darkest.
        target: probability that means and textures are those of an unlabeled image.
        growth: standard deviation of the growth of single classes in mm, see `grow_classes`.
        augmentation: factor on the strengths of the standard augmentation.
    """

    fraction: float = 0.5
    mean_spread: float = 1.0
    kept_mean: float = 0.0
    gain_spread: float = 0.4
    inversion: float = 0.3
    noise: float = 0.25
    synthesis: float = 0.1
    mixing: float = 0.25
    curve: float = 0.1
    convolution: float = 0.1
    exchange: float = 0.1
    air: float = 0.5
    target: float = 0.5
    growth: float = _GROWTH
    augmentation: float = 1.0

    @classmethod
    def for_preset(cls, preset: Preset, fraction: float = 0.5) -> AppearanceDistribution:
        """Return the distribution that training starts from.

        Classes grow by voxels of the finest spacing. Color images keep more of their means and
        their texture: a scanner of another modality is not to be expected.
        """
        start = cls(fraction, growth=_GROWTH * min(preset.spacing or (1.0,)))
        if not preset.has_colors:
            return start
        return replace(start, mean_spread=0.7, kept_mean=0.7, inversion=0.02, synthesis=0.02)

    def to_vector(self, names: Sequence[str]) -> list[float]:
        """Return some of the scalars as unbounded numbers: logits and logarithms."""
        return [_to_unbounded(name, float(getattr(self, name))) for name in names]

    def with_vector(self, names: Sequence[str], values: Sequence[float]) -> AppearanceDistribution:
        """Return a copy with some scalars replaced, from unbounded numbers."""
        changes = {name: _from_unbounded(name, value) for name, value in zip(names, values)}
        return replace(self, **changes)


def steerable(*, has_targets: bool) -> tuple[str, ...]:
    """Return the names of the scalars that have an effect."""
    return tuple(name for name in (*_LOGITS, *_LOGS) if has_targets or name != "target")


class RegionAppearance:
    """Recolors patches by their regions.

    Args:
        table: statistics of the regions of all cases.
        targets: contrasts of unlabeled images, if there are any.
        bounded: images are clipped to [0, 1].
        color: channels are colors and change together.
    """

    def __init__(
        self,
        table: RegionTable,
        targets: TargetContrasts | None = None,
        *,
        bounded: bool = False,
        color: bool = False,
    ) -> None:
        self.table, self.targets = table, targets
        self._bounded, self._color = bounded, color

    def recolor(
        self,
        images: torch.Tensor,
        regions: torch.Tensor,
        distribution: AppearanceDistribution,
        rng: RandomGenerator,
        donors: Donors | None = None,
    ) -> torch.Tensor:
        """Recolor a random subset of a batch.

        The generator advances alike for any distribution, so that two of them can be compared on
        the same random numbers. Only images that are recolored take time.

        Args:
            images: (batch, channel * slices, *shape), the slices of a channel in order.
            regions: (batch, slices, *shape) of `RegionTable`.
            distribution: what is drawn from.
            rng: random generator.
            donors: returns this many images, whose style others get; of the batch by default.
        """
        cases, local = self.table.split(regions)
        change = self._draw(cases, distribution, rng)
        chosen, own = _subset(len(images), distribution.fraction, rng), _independent(rng)
        recolored = images.clone()
        if chosen.any():
            parts = RegionChange(*(values[chosen] for values in change))
            recolored[chosen] = _apply(parts, images[chosen], local[chosen], own)
        joint = images.shape[1] if self._color else regions.shape[1]
        for probability, transform in (
            (distribution.curve, _random_curve),
            (distribution.convolution, partial(random_convolutions, joint_channels=joint)),
            (distribution.exchange, partial(_exchange, donors=donors or _shuffled(images))),
        ):
            selected, own = chosen & _subset(len(images), probability, rng), _independent(rng)
            if selected.any():
                recolored[selected] = transform(images[selected], own)
        return recolored.clamp(0, 1) if self._bounded else recolored

    def _draw(
        self, cases: torch.Tensor, d: AppearanceDistribution, rng: RandomGenerator
    ) -> RegionChange:
        """Draw the change of each case's regions."""
        _, means, stds = self.table.standardized(cases)
        target, gain = self._means_and_gains(means, stds, cases, d, rng)
        batch, regions, _ = means.shape
        noise = d.noise * rng.uniform(batch, regions, 1)
        synthetic = (rng.uniform(batch, 1, 1) < d.synthesis).float()
        original = rng.uniform(batch, 1, 1) * (rng.uniform(batch, 1, 1) < d.mixing)
        kept = gain * (1 - synthetic)
        noise = (noise.square() + synthetic * (gain * stds).square()).sqrt()
        scale = (1 - original) * kept + original
        shift = (1 - original) * (target - kept * means)
        change = RegionChange(scale, shift, (1 - original) * noise)
        return self.table.normalized(cases, change)

    def _means_and_gains(
        self,
        means: torch.Tensor,
        stds: torch.Tensor,
        cases: torch.Tensor,
        d: AppearanceDistribution,
        rng: RandomGenerator,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return new means and signed factors on textures (batch, region, channel)."""
        batch, regions, _ = means.shape
        kept = min(1.0, d.kept_mean)
        drawn = d.mean_spread * self._noise_like(means, rng)
        new = kept * means + math.sqrt(1 - kept**2) * drawn
        gain = torch.exp(d.gain_spread * self._noise_like(means, rng))
        sign = 1 - 2 * (rng.uniform(batch, regions, 1) < d.inversion).float()
        if self.targets is not None:
            chosen = rng.uniform(batch, 1, 1) < d.target
            target_means, target_stds = self.targets.draw(self.table.classes[cases], rng)
            ratio = (target_stds / stds.clamp_min(1e-3)).clamp(1 / _TEXTURE_RATIO, _TEXTURE_RATIO)
            near = target_means + target_stds * rng.normal(batch, regions, 1) / 2
            new, gain = torch.where(chosen, near, new), torch.where(chosen, ratio * gain, gain)
        gain = sign * gain
        stays = rng.uniform(batch, 1, 1) < d.air
        is_air = F.one_hot(self.table.air[cases], regions)[..., None].bool() & stays
        darkest = torch.where(is_air, torch.full_like(new, math.inf), new).amin(1, keepdim=True)
        return torch.where(is_air, darkest - 0.2, new), torch.where(is_air, gain.abs(), gain)

    def _noise_like(self, means: torch.Tensor, rng: RandomGenerator) -> torch.Tensor:
        """Return normal noise (batch, region, channel), common to colors but for their hue."""
        noise = rng.normal(*means.shape)
        if not self._color:
            return noise
        return rng.normal(*means.shape[:2], 1) + _HUE * noise


def _shuffled(images: torch.Tensor) -> Donors:
    def sample(rng: RandomGenerator, count: int) -> torch.Tensor:
        return images[rng.integers(len(images), count)]

    return sample


def _exchange(images: torch.Tensor, rng: RandomGenerator, donors: Donors) -> torch.Tensor:
    """Exchange amplitudes with donors, which may be larger."""
    found = donors(rng, len(images))
    for axis, size in enumerate(images.shape[2:], 2):
        found = found.narrow(axis, (found.shape[axis] - size) // 2, size)
    return exchange_amplitudes(images, found, rng)


def _subset(batch: int, probability: float, rng: RandomGenerator) -> torch.Tensor:
    """Return which samples (batch,) are chosen."""
    return rng.bernoulli(batch, probability, 0).flatten() > 0


def _independent(rng: RandomGenerator) -> RandomGenerator:
    """Return a generator of its own, which may advance as far as it likes."""
    seed = rng.integers(2**31 - 1, 1)[0]
    return RandomGenerator(seed, rng.device)


def _apply(
    change: RegionChange, images: torch.Tensor, regions: torch.Tensor, rng: RandomGenerator
) -> torch.Tensor:
    """Change images (batch, channel * slices, *s) by their regions (batch, slices, *s)."""
    shape = (len(images), -1, regions.shape[1], *images.shape[2:])
    scale, shift, noise = (
        _smoothed(_lookup(values, regions).reshape(shape)).reshape(images.shape)
        for values in change
    )
    return scale * images + shift + noise * rng.normal(*images.shape)


def _lookup(values: torch.Tensor, regions: torch.Tensor) -> torch.Tensor:
    """Return the values (batch, region, channel) of each voxel's region (batch, channel, voxel)."""
    batch, _, channels = values.shape
    index = regions.reshape(batch, 1, -1).expand(batch, channels, -1)
    return torch.gather(values.transpose(1, 2), 2, index)


def _smoothed(maps: torch.Tensor) -> torch.Tensor:
    """Average maps (batch, channel, slice, *shape) over 3 voxels per axis, like partial volumes."""
    pool = F.avg_pool2d if maps.ndim == 5 else F.avg_pool3d
    flat = maps.flatten(1, 2)
    return pool(flat, 3, stride=1, padding=1, count_include_pad=False).reshape(maps.shape)


def _random_curve(images: torch.Tensor, rng: RandomGenerator) -> torch.Tensor:
    """Map intensities by a random piecewise linear curve; mean and sd of each channel stay."""
    axes = tuple(range(2, images.ndim))
    mean, spread = images.mean(axes, keepdim=True), images.std(axes, keepdim=True).clamp_min(1e-6)
    heights = rng.normal(len(images), _CURVE_POINTS)
    unit = ((images - mean) / spread / _CURVE_REACH + 1) * (_CURVE_POINTS - 1) / 2
    unit = unit.clamp(0, _CURVE_POINTS - 1)
    low = unit.long().clamp_max(_CURVE_POINTS - 2)
    flat = low.reshape(len(images), -1)
    left = torch.gather(heights, 1, flat).reshape(images.shape)
    right = torch.gather(heights, 1, flat + 1).reshape(images.shape)
    curved = left + (unit - low) * (right - left)
    curved = curved - curved.mean(axes, keepdim=True)
    return mean + spread * curved / curved.std(axes, keepdim=True).clamp_min(1e-6)


def _to_unbounded(name: str, value: float) -> float:
    if name in _LOGS:
        return _FINENESS.get(name, 1.0) * math.log(max(value, 1e-3))
    value = min(max(value, _MIN_PROBABILITY), _MAX_PROBABILITY)
    return math.log(value / (1 - value))


def _from_unbounded(name: str, value: float) -> float:
    if name in _LOGS:
        return math.exp(value / _FINENESS.get(name, 1.0))
    return 1 / (1 + math.exp(-value))
