"""Recoloring of training patches by region: the distributions, and what they are applied to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from ..augmentation.patches import AnyPatchSampler
from ..augmentation.random_generator import RandomGenerator
from ..augmentation.region_appearance import AppearanceDistribution, RegionAppearance
from ..augmentation.region_table import TargetContrasts, divide_cases, target_contrasts
from ..augmentation.regions import CaseWithRegions, DividedCase, find_regions, image_clusters
from ..config import TrainConfig
from ..data.training_case import TrainingCase
from ..presets import Preset

AnyCase = TypeVar("AnyCase", bound=DividedCase)

_MAX_TARGETS = 12  # unlabeled cases whose contrasts are taken, which is done several times


@dataclass
class Recoloring:
    """Recolors patches whose labels have regions as further channels.

    Attributes:
        appearance: recolors by region.
        distribution: what recolored training images are drawn from.
        other_scanner: distribution of validation images as another scanner would show them.
        clusters: contrasts of unlabeled cases, which need no labels.
        donors: sampler of unlabeled patches, whose style others get.
    """

    appearance: RegionAppearance
    distribution: AppearanceDistribution
    other_scanner: AppearanceDistribution
    clusters: TargetContrasts | None = None
    donors: AnyPatchSampler | None = None

    def __call__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        rng: RandomGenerator,
        distribution: AppearanceDistribution | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (batch, channel, *s), some recolored, and labels (batch, 1, *s)."""
        chosen = distribution or self.distribution
        donors = self._sample_donors if self.donors else None
        return self.appearance.recolor(images, labels[:, 1:], chosen, rng, donors), labels[:, :1]

    def _sample_donors(self, rng: RandomGenerator, count: int) -> torch.Tensor:
        assert self.donors is not None
        return self.donors.sample(rng, count)[0]

    def set_targets(self, cases: Sequence[DividedCase], seed: int, class_count: int) -> None:
        """Take contrasts from the regions of these cases from now on; see `find_regions`."""
        maps = [find_regions(case, seed, class_count=class_count) for case in _some(cases)]
        self.appearance.targets = target_contrasts(maps, self.appearance.table.means.device)


def _some(cases: Sequence[AnyCase]) -> Sequence[AnyCase]:
    """Return at most `_MAX_TARGETS` cases, spread over all of them."""
    return cases[:: -(-len(cases) // _MAX_TARGETS) or 1]


def build_recoloring(
    config: TrainConfig,
    preset: Preset,
    cases: Sequence[TrainingCase],
    unlabeled: Sequence[TrainingCase],
    device: torch.device,
    class_count: int,
) -> tuple[list[CaseWithRegions], Recoloring]:
    """Divide the cases of a training into regions, and return them with their recoloring.

    `class_count` is that of `find_regions`.
    """
    divided, table = divide_cases(cases, config.seed, device, class_count)
    clusters = [image_clusters(case, config.seed) for case in _some(unlabeled)]
    targets = target_contrasts(clusters, device)
    is_bounded = preset.intensity.kind == "window"
    appearance = RegionAppearance(table, targets, bounded=is_bounded, color=preset.has_colors)
    start = AppearanceDistribution.for_preset(preset, config.appearance_fraction)
    other = AppearanceDistribution.for_preset(preset, 1.0)
    return divided, Recoloring(appearance, start, other, targets)
