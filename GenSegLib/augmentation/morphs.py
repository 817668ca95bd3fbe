"""New masks, and the images that the generator starts from, between every two labeled subjects.

A morph at t in [0, 1] lies between subject i (t = 0) and subject j (t = 1). Its point x is the
point x = (1 - t) y + t (y + u(y)) on the way from y in subject i to its counterpart y + u(y) in
subject j. Signed distance maps and images of both are mixed at these counterparts by one map that
varies in space, mostly one subject here and the other there: so shapes change without tearing, each
border lies where its own image has it, and the image keeps the texture and the noise of real ones,
which an even mix would average away.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch

from ..computing.devices import where_in_order
from .features import Features, features_of
from .interpolation import sample
from .knots import interpolated, smooth_noise
from .randomness import Randomness
from .registration import RegistrationSettings, register
from .shapes import nearest_class
from .spatial import SpatialStrength, identity_grid, random_grid
from .subject import LabeledCase

MIDPOINTS = 2**28  # values with midpoints that small cases may keep in memory, 1 GiB of them


@dataclass(frozen=True)
class Pairs:
    """A batch of image-label pairs: images (b, c, *s), labels (b, 1, *s), and source images.

    Attributes:
        between: the places of the two subjects of each sample.
        coordinates: where each voxel lies in the canonical frame (b, dims, *s), if asked for.
    """

    source: torch.Tensor
    labels: torch.Tensor
    images: torch.Tensor
    between: tuple[tuple[int, int], ...]
    coordinates: torch.Tensor | None = None


@dataclass(frozen=True)
class MorphSettings:
    """How far morphs go.

    Attributes:
        reach: how far beyond either subject a blend may lie, as a share of the way between them.
        mixing: standard deviation of the spatial variation of the mix, in logits.
        partners: subjects that each subject is registered to, at the most.
        limit_mm: distance at which signed distance maps are capped.
        coarse: voxels of the longest side at which pairs are registered.
    """

    reach: float = 0.15
    mixing: float = 6.0
    partners: int = 5
    limit_mm: float = 12.0
    coarse: int = 18


class Morphs:
    """Draws pairs between the subjects of a training.

    Args:
        subjects: the labeled cases, of one spacing.
        classes: classes, background included.
        patch_size: size of the drawn pairs in voxels.
        rng: the source of the choice of partners.
        settings: how far morphs go.
        coordinates: give the pairs their coordinates.
        half: voxels from the center of the canonical box to its sides; None for a box that holds
            each of the subjects.
    """

    def __init__(
        self,
        subjects: Sequence[LabeledCase],
        classes: int,
        patch_size: Sequence[int],
        rng: Randomness,
        settings: MorphSettings | None = None,
        coordinates: bool = False,
        half: torch.Tensor | None = None,
    ) -> None:
        self.settings = settings or MorphSettings()
        self.classes = classes
        self.patch_size = tuple(patch_size)
        self.device = rng.device
        self.coordinates = coordinates
        if half is None:
            half = _half_extent([each.extent() for each in subjects], self.patch_size)
        self.half = half.to(rng.device)
        self.features = [self._features_of(each, len(subjects)) for each in subjects]
        self.partners = self._partners(len(subjects), rng)
        self.knots = self._register()

    def among(
        self, chosen: Sequence[int], rejected: Collection[frozenset[int]] = frozenset()
    ) -> Morphs:
        """Return the same morphs between the chosen subjects alone, rejected pairs left out.

        A subject whose registered partners are all left out is paired with itself.
        """
        view = copy(self)
        kept = [
            (index, pair)
            for index, pair in enumerate(self.partners)
            if set(pair) <= set(chosen) and frozenset(pair) not in rejected
        ]
        lonely = set(chosen) - {first for _, (first, _) in kept}
        view.partners = [pair for _, pair in kept] + [(first, first) for first in sorted(lonely)]
        still = torch.zeros(len(lonely), *self.knots.shape[1:], device=self.device)
        view.knots = torch.cat([self.knots[[index for index, _ in kept]], still])
        return view

    def _features_of(self, subject: LabeledCase, cases: int) -> Features:
        center = _on_voxels(subject.centroid(), self.patch_size).to(self.device)
        limit_mm, small = self.settings.limit_mm, MIDPOINTS // (8 * cases)
        return features_of(subject, self.classes, limit_mm, center, self.half, small)

    def _partners(self, count: int, rng: Randomness) -> list[tuple[int, int]]:
        """Return pairs of subjects: all ordered pairs, or some random partners for each."""
        if count == 1:
            return [(0, 0)]
        pairs = []
        for first in range(count):
            others = [second for second in range(count) if second != first]
            order = torch.randperm(len(others), generator=rng.generator).tolist()
            pairs += [(first, others[index]) for index in order[: self.settings.partners]]
        return pairs

    def _register(self) -> torch.Tensor:
        longest = float(self.half.max())
        shape = tuple(
            max(4, round(self.settings.coarse * float(half) / longest)) for half in self.half
        )
        points = identity_grid(shape, self.device)
        coarse = torch.cat([features.at(points) for features in self.features])
        coarse = coarse.to(where_in_order(self.device))  # `grid_sample` has a gradient of no order
        fixed = coarse[[first for first, _ in self.partners]]
        moving = coarse[[second for _, second in self.partners]]
        return register(fixed, moving, self.classes, RegistrationSettings()).to(self.device)

    def _points(self, rng: Randomness, batch: int, spatial: SpatialStrength | None) -> torch.Tensor:
        """Return the canonical points of randomly placed, randomly deformed patches.

        They are (batch, *coarse shape, dims): maps between subjects are smooth, so that they are
        composed on every third voxel and interpolated to the patch afterwards.
        """
        shape = tuple(max(2, -(-size // 3)) for size in self.patch_size)
        if spatial is None:
            grid = identity_grid(shape, self.device)
            grid = grid.expand(batch, *grid.shape[1:])
        else:
            grid = random_grid(rng, batch, shape, spatial)
        reach = (torch.tensor(self.patch_size, device=self.device) - 1) / 2
        room = (self.half - reach).clamp_min(0)
        dims = len(self.patch_size)
        offset = (rng.uniform(batch, *[1] * dims, dims, low=-1.0) * room).round()
        return (grid * reach.flip(0) + offset.flip(-1)) / self.half.flip(0)

    def _fine(self, points: torch.Tensor) -> torch.Tensor:
        return interpolated(points.movedim(-1, 1), self.patch_size).movedim(1, -1)

    def real_pairs(
        self, rng: Randomness, batch: int, spatial: SpatialStrength | None = None
    ) -> Pairs:
        """Draw real pairs, each with another subject's image moved onto its mask as the source.

        They lie as they are, or deformed where ``spatial`` says how far.
        """
        points = self._points(rng, batch, spatial)
        chosen = rng.integers(len(self.partners), batch)
        here, there = [], []
        for sample_index, pair in enumerate(chosen):
            at = points[sample_index : sample_index + 1]
            first, second = self.partners[pair]
            here.append(self.features[first].at(self._fine(at)))
            moved = at + self._displacement(pair, at)
            there.append(self.features[second].at(self._fine(moved)))
        real, other = torch.cat(here), torch.cat(there)
        labels = nearest_class(real[:, : self.classes])
        source, image = other[:, self.classes :], real[:, self.classes :]
        return Pairs(source, labels, image, self._of(chosen), self._coordinates(points))

    def blends(
        self, rng: Randomness, batch: int, spatial: SpatialStrength, share: float = 1.0
    ) -> Pairs:
        """Draw new masks with their source images (which stand for the images too).

        ``share`` of them, on average, are blends of two subjects; the others are deformed masks of
        one subject.
        """
        points = self._points(rng, batch, spatial)
        chosen = rng.integers(len(self.partners), batch)
        reach = self.settings.reach
        ways = rng.uniform(batch, low=-reach, high=1 + reach).tolist()
        blended = (rng.uniform(batch) < share).tolist()
        noise = smooth_noise(rng, batch, 1, self.patch_size, knots=4) * self.settings.mixing
        drawn = []
        for place, pair in enumerate(chosen):
            at = points[place : place + 1]
            if blended[place]:
                drawn.append(self._blend(pair, at, ways[place], noise[place : place + 1]))
            else:
                drawn.append(self.features[self.partners[pair][0]].at(self._fine(at)))
        blend = torch.cat(drawn)
        source = blend[:, self.classes :]
        labels = nearest_class(blend[:, : self.classes])
        return Pairs(source, labels, source, self._of(chosen), self._coordinates(points))

    def _coordinates(self, points: torch.Tensor) -> torch.Tensor | None:
        return interpolated(points.movedim(-1, 1), self.patch_size) if self.coordinates else None

    def _of(self, chosen: Sequence[int]) -> tuple[tuple[int, int], ...]:
        return tuple(self.partners[pair] for pair in chosen)

    def _blend(self, pair: int, at: torch.Tensor, way: float, noise: torch.Tensor) -> torch.Tensor:
        first, second = self.partners[pair]
        even = np.clip(way, 0.02, 0.98)
        mix = torch.sigmoid(noise + np.log(even / (1 - even)))
        origin = at - way * self._displacement(pair, at)
        origin = at - way * self._displacement(pair, origin)
        counterpart = origin + self._displacement(pair, origin)
        here = self.features[first].at(self._fine(origin))
        there = self.features[second].at(self._fine(counterpart))
        return torch.lerp(here, there, mix)

    def _displacement(self, pair: int, points: torch.Tensor) -> torch.Tensor:
        return sample(self.knots[pair : pair + 1], points).movedim(1, -1)


def _on_voxels(center: torch.Tensor, patch_size: Sequence[int]) -> torch.Tensor:
    """Return the place nearest to the foreground's centroid at which patches fall on voxels.

    So real pairs are not resampled, which would blur what the generator learns from.
    """
    reach = (torch.tensor(list(patch_size)) - 1) / 2
    return (center - reach).round() + reach


def _half_extent(shapes: Sequence[Sequence[int]], patch_size: Sequence[int]) -> torch.Tensor:
    largest = torch.tensor([list(shape) for shape in shapes]).amax(dim=0)
    return (torch.maximum(largest, torch.tensor(list(patch_size))).float() - 1) / 2
