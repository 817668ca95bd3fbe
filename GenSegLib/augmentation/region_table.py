"""Statistics of the regions of all cases of a training, and contrasts of unlabeled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch

from ..data.training_case import TrainingCase
from .random_generator import RandomGenerator
from .regions import CaseWithRegions, RegionMap, find_regions


class RegionChange(NamedTuple):
    """A change of intensities by region: x becomes scale * x + shift + noise of that sd.

    All are (batch, region, channel).
    """

    scale: torch.Tensor
    shift: torch.Tensor
    noise: torch.Tensor


@dataclass(frozen=True)
class RegionTable:
    """Statistics of regions; region `r` of case `k` has the number `k * size + r`.

    Region 0 of each case is padding, whose number is 0 for every case.

    Attributes:
        size: numbers per case.
        fractions: (case, region) fraction of the case's voxels.
        means, stds: (case, region, channel).
        air: (case,) darkest region of the background.
        classes: (case, region) class of each region; -1 for those that a case does not have.
    """

    size: int
    fractions: torch.Tensor
    means: torch.Tensor
    stds: torch.Tensor
    air: torch.Tensor
    classes: torch.Tensor

    @classmethod
    def of(cls, maps: Sequence[RegionMap], device: torch.device) -> RegionTable:
        """Collect the statistics of these maps."""
        size = 1 + max(len(each.classes) for each in maps)
        channels = maps[0].means.shape[1]
        fractions = torch.zeros(len(maps), size)
        means, stds = torch.zeros(2, len(maps), size, channels)
        classes = torch.full((len(maps), size), -1)
        for k, each in enumerate(maps):
            stop = 1 + len(each.classes)
            fractions[k, 1:stop] = each.fractions
            means[k, 1:stop], stds[k, 1:stop] = each.means, each.stds
            classes[k, 1:stop] = torch.tensor(each.classes)
        air = torch.tensor([_darkest(each) for each in maps])
        return cls(size, *(part.to(device) for part in (fractions, means, stds, air, classes)))

    def split(self, regions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the case (batch,) and the region within it (batch, *s) of numbers (batch, *s)."""
        cases = regions.flatten(1).amax(1) // self.size
        first = (cases * self.size).reshape(-1, *[1] * (regions.ndim - 1))
        return cases, (regions - first).clamp_min(0)

    def standardized(self, cases: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return fractions (batch, region), means and sds (batch, region, channel) of cases.

        Means and standard deviations are those of the case scaled to mean 0 and sd 1.
        """
        fractions = self.fractions[cases]
        center, spread = self._moments(fractions, self.means[cases], self.stds[cases])
        return fractions, (self.means[cases] - center) / spread, self.stds[cases] / spread

    def normalized(self, cases: torch.Tensor, change: RegionChange) -> RegionChange:
        """Normalize recolored cases as real ones are: to mean and sd of the whole case.

        Args:
            cases: (batch,).
            change: of standardized intensities.

        Returns:
            The change of intensities as they are; padding stays as it is.
        """
        fractions, means, stds = self.standardized(cases)
        sds = ((change.scale * stds).square() + change.noise.square()).sqrt()
        center, spread = self._moments(fractions, change.scale * means + change.shift, sds)
        old_center, old_spread = self._moments(fractions, self.means[cases], self.stds[cases])
        scale, noise = change.scale / spread, change.noise / spread * old_spread
        shift = old_spread * (change.shift - center) / spread + old_center * (1 - scale)
        kept = torch.ones_like(means[:, :1])
        scale, shift, noise = (
            torch.cat([first, values.expand_as(means)[:, 1:]], dim=1)
            for first, values in ((kept, scale), (0 * kept, shift), (0 * kept, noise))
        )
        return RegionChange(scale, shift, noise)

    @staticmethod
    def _moments(
        fractions: torch.Tensor, means: torch.Tensor, stds: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and sd (batch, 1, channel) of whole cases."""
        weights = fractions[..., None]
        center = (weights * means).sum(1, keepdim=True)
        squares = (weights * (stds.square() + (means - center).square())).sum(1, keepdim=True)
        return center, squares.sqrt().clamp_min(1e-4)


@dataclass(frozen=True)
class TargetContrasts:
    """Regions of unlabeled images, scaled to mean 0 and sd 1.

    Attributes:
        means, stds: (image, region, channel).
        classes: (image, region), as in `RegionTable`; all 0 without labels.
    """

    means: torch.Tensor
    stds: torch.Tensor
    classes: torch.Tensor

    def draw(
        self, classes: torch.Tensor, rng: RandomGenerator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means and sds (batch, region, channel) of random regions of one image each.

        Args:
            classes: (batch, region) of the regions that get them. They are of the same class, if
                the image has it.
            rng: random generator.
        """
        batch, regions = classes.shape
        images, choices = self.classes.shape
        image = (rng.uniform(batch, 1) * images).long().clamp_max(images - 1)
        own = self.classes[image[:, 0]][:, None]  # (batch, 1, choice)
        scores = rng.uniform(batch, regions, choices) + (own == classes[..., None]).float()
        chosen = scores.masked_fill(own < 0, -1).argmax(2)
        return self.means[image, chosen], self.stds[image, chosen]


def divide_cases(
    cases: Sequence[TrainingCase], seed: int, device: torch.device, class_count: int = 0
) -> tuple[list[CaseWithRegions], RegionTable]:
    """Divide cases into regions, at both spacings if they have two; see `find_regions`."""
    divide = partial(find_regions, seed=seed, class_count=class_count)
    maps = [divide(case) for case in cases]
    coarse = {k: divide(case.coarse) for k, case in enumerate(cases) if case.coarse}
    table = RegionTable.of([*maps, *coarse.values()], device)
    numbers = {k: len(maps) + n for n, k in enumerate(coarse)}
    divided = []
    for k, (case, regions) in enumerate(zip(cases, maps)):
        small = None
        if case.coarse is not None:
            small = CaseWithRegions(case.coarse, coarse[k], numbers[k] * table.size)
        divided.append(CaseWithRegions(case, regions, k * table.size, small))
    return divided, table


def target_contrasts(maps: Sequence[RegionMap], device: torch.device) -> TargetContrasts | None:
    """Return the contrasts of the regions of unlabeled cases; None without cases."""
    if not maps:
        return None
    table = RegionTable.of(maps, device)
    _, means, stds = table.standardized(torch.arange(len(maps), device=device))
    return TargetContrasts(means, stds, table.classes)


def _darkest(regions: RegionMap) -> int:
    """Return the number of the background region with the lowest mean; 0 without background."""
    means = [
        (float(regions.means[k].mean()), k + 1)
        for k, value in enumerate(regions.classes)
        if value == 0
    ]
    return min(means)[1] if means else 0
