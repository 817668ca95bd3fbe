"""Image-label pairs between registered cases: new masks, and source images for the generator.

A blended pair at t in [0, 1] lies between case i (t = 0) and case j (t = 1). Its point x is the
point x = (1 - t) y + t (y + u(y)) between y in case i and the corresponding point y + u(y) in case
j. Signed distance maps and images of both cases are interpolated at these points with one weight
map that varies in space and is mostly near 0 or 1. So shapes change without tearing, borders stay
on image edges, and the texture and noise of real images stay, which averaging would blur.

Labels of which only a set of classes is known (`data.label_sets`) stay so: a voxel of a blend may
have every class that it may have in either case.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch

from ..data.distance_maps import DISTANCE_LIMIT_MM
from ..data.label_sets import LabelSets
from ..data.training_case import TrainingCase
from .features import Features, build_features
from .interpolation import interpolate_control_points, sample, smooth_noise
from .random_generator import RandomGenerator
from .regions import RegionMap
from .registration import RegistrationSettings, register
from .spatial import SpatialStrength, argmax_channel, identity_grid, random_grid

_MIN_FRACTION = 0.05  # of a case in a voxel of a blend, below which its label does not matter
_ATTEMPTS = 4  # to find patches with annotated voxels
MAX_MIDPOINTS = 2**28  # precomputed midpoint values of all small cases together, 1 GiB


@dataclass(frozen=True)
class PairBatch:
    """A batch of image-label pairs: images (b, c, *s), labels (b, 1, *s), and source images.

    Attributes:
        source: images (b, c, *s) that the generator starts from.
        between: indices of the two cases of each sample.
        regions: mean intensity of each voxel's region in the image (b, c, *s); without channels if
            the sampler knows no regions.
    """

    source: torch.Tensor
    labels: torch.Tensor
    images: torch.Tensor
    between: tuple[tuple[int, int], ...]
    regions: torch.Tensor

    def first(self) -> PairBatch:
        """Return a batch of the first sample alone."""
        return PairBatch(**{name: values[:1] for name, values in vars(self).items()})


@dataclass(frozen=True)
class PairSettings:
    """Settings of registration and blending.

    Attributes:
        extrapolation: how far t may lie outside [0, 1].
        mixing: standard deviation of the weight map's spatial variation, in logits.
        partners: maximum number of cases that each case is registered to.
        limit_mm: distance to which signed distance maps are clipped.
        coarse: voxels of the longest side at which pairs are registered.
    """

    extrapolation: float = 0.15
    mixing: float = 6.0
    partners: int = 5
    limit_mm: float = DISTANCE_LIMIT_MM
    coarse: int = 18


class PairSampler:
    """Registers the cases of a training and samples pairs between them.

    Args:
        cases: labeled cases, of one spacing.
        classes: number of classes, background included.
        patch_size: size of the sampled pairs in voxels.
        rng: random generator for the choice of partners.
        settings: settings of registration and blending.
        half_size: voxels from the center of the canonical box to its sides; None for a box that
            holds every case.
        sets: meaning of labels beyond the classes; None if there are none.
        regions: of each case, if the pairs are to have them.

    Attributes:
        partners: the pairs of case indices that were registered.
        displacements: (pair, dims, *control points), see `register`.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        classes: int,
        patch_size: Sequence[int],
        rng: RandomGenerator,
        settings: PairSettings | None = None,
        half_size: torch.Tensor | None = None,
        sets: LabelSets | None = None,
        regions: Sequence[RegionMap] = (),
    ) -> None:
        self.settings = settings or PairSettings()
        self.classes = classes if sets is None else sets.values
        self._sets, self._regions = sets, regions
        self._region_channels = regions[0].means.shape[1] if regions else 0
        self.patch_size = tuple(patch_size)
        self.device = rng.device
        if half_size is None:
            half_size = _half_size([case.extent() for case in cases], self.patch_size)
        self.half_size = half_size.to(rng.device)
        self.features = [self._features_of(k, case, len(cases)) for k, case in enumerate(cases)]
        self.partners = self._choose_partners(len(cases), rng)
        self.displacements = self._register()

    def subset(
        self, cases: Sequence[int], rejected: Collection[frozenset[int]] = frozenset()
    ) -> PairSampler:
        """Return a sampler for some of the cases, without the rejected pairs.

        A case that loses all its registered partners is paired with itself.
        """
        view = copy(self)
        kept = [
            (index, pair)
            for index, pair in enumerate(self.partners)
            if set(pair) <= set(cases) and frozenset(pair) not in rejected
        ]
        single = set(cases) - {first for _, (first, _) in kept}
        view.partners = [pair for _, pair in kept] + [(first, first) for first in sorted(single)]
        zeros = torch.zeros(len(single), *self.displacements.shape[1:], device=self.device)
        found = self.displacements[[index for index, _ in kept]]
        view.displacements = torch.cat([found, zeros])
        return view

    def real_pairs(self, rng: RandomGenerator, batch: int) -> PairBatch:
        """Sample real pairs; the source is another case's image, warped onto the mask."""
        return self._annotated(lambda: self._real_pairs(rng, batch))

    def _real_pairs(self, rng: RandomGenerator, batch: int) -> PairBatch:
        points = self._points(rng, batch)
        chosen = rng.integers(len(self.partners), batch)
        here, there = [], []
        for index, pair in enumerate(chosen):
            at = points[index : index + 1]
            first, second = self.partners[pair]
            here.append(self.features[first].at(self._to_patch(at)))
            warped = at + self._displacement(pair, at)
            there.append(self.features[second].at(self._to_patch(warped)))
        real, other = torch.cat(here), torch.cat(there)
        image, labels = self._divided(real)
        source = other[:, self.classes :]
        return self._batch(source, labels, image, chosen)

    def blended_pairs(
        self, rng: RandomGenerator, batch: int, spatial: SpatialStrength, fraction: float = 1.0
    ) -> PairBatch:
        """Sample new masks with their source images, which also serve as images.

        An expected ``fraction`` of them blends two cases; the others are deformed masks of one.
        """
        return self._annotated(lambda: self._blended_pairs(rng, batch, spatial, fraction))

    def _blended_pairs(
        self, rng: RandomGenerator, batch: int, spatial: SpatialStrength, fraction: float
    ) -> PairBatch:
        points = self._points(rng, batch, spatial)
        chosen = rng.integers(len(self.partners), batch)
        beyond = self.settings.extrapolation
        times = rng.uniform(batch, low=-beyond, high=1 + beyond).tolist()
        blended = (rng.uniform(batch) < fraction).tolist()
        noise = smooth_noise(rng, batch, 1, self.patch_size, points=4) * self.settings.mixing
        sources, labels = [], []
        for index, pair in enumerate(chosen):
            at = points[index : index + 1]
            if blended[index]:
                found = self._blend(pair, at, times[index], noise[index : index + 1])
            else:
                found = self._single(self.partners[pair][0], at)
            sources.append(found[0])
            labels.append(found[1])
        source = torch.cat(sources)
        return self._batch(source, torch.cat(labels), source, chosen)

    def _single(self, case: int, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image and label of one case."""
        return self._divided(self.features[case].at(self._to_patch(at)))

    def _batch(
        self,
        source: torch.Tensor,
        labels: torch.Tensor,
        images: torch.Tensor,
        chosen: Sequence[int],
    ) -> PairBatch:
        """Return a batch of images that the means of their regions follow as further channels."""
        channels = images.shape[1] - self._region_channels
        return PairBatch(
            source[:, :channels],
            labels,
            images[:, :channels],
            tuple(self.partners[pair] for pair in chosen),
            images[:, channels:],
        )

    def _annotated(self, draw: Callable[[], PairBatch]) -> PairBatch:
        """Draw again, a few times, while a pair has no annotated voxel."""
        for _ in range(_ATTEMPTS if self._sets else 1):
            pairs = draw()
            if self._sets is None:
                break
            if bool((pairs.labels != self._sets.classes).flatten(1).any(1).all()):
                break
        return pairs

    def _divided(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the image channels of features, regions too, and the label of their distances."""
        return features[:, self.classes :], nearest_class(features[:, : self.classes])

    def _features_of(self, index: int, case: TrainingCase, count: int) -> Features:
        center = align_to_voxels(case.centroid(), self.patch_size).to(self.device)
        limit_mm, small = self.settings.limit_mm, MAX_MIDPOINTS // (8 * count)
        regions = self._regions[index] if self._regions else None
        return build_features(case, self.classes, limit_mm, center, self.half_size, small, regions)

    def _choose_partners(self, count: int, rng: RandomGenerator) -> list[tuple[int, int]]:
        """Return pairs of cases: all ordered pairs, or a few random partners for each case."""
        if count == 1:
            return [(0, 0)]
        pairs = []
        for first in range(count):
            others = [second for second in range(count) if second != first]
            order = torch.randperm(len(others), generator=rng.generator).tolist()
            pairs += [(first, others[index]) for index in order[: self.settings.partners]]
        return pairs

    def _register(self) -> torch.Tensor:
        longest = float(self.half_size.max())
        shape = tuple(
            max(4, round(self.settings.coarse * float(half) / longest)) for half in self.half_size
        )
        points = identity_grid(shape, self.device)
        coarse = torch.cat([features.at(points) for features in self.features])
        coarse = coarse[:, : coarse.shape[1] - self._region_channels]
        fixed = coarse[[first for first, _ in self.partners]]
        moving = coarse[[second for _, second in self.partners]]
        known = None
        if self._sets is not None:
            (fixed, first), (moving, second) = map(self._registered_features, (fixed, moving))
            known = first, second
        count = self.classes if self._sets is None else self._sets.classes
        return register(fixed, moving, count, RegistrationSettings(), known)

    def _registered_features(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features with the distances of classes alone, and where they are known.

        A set counts as its first class.
        """
        assert self._sets is not None
        distances = list(features[:, : self._sets.classes].unbind(1))
        for value, own in enumerate(self._sets.first_class):
            if value > self._sets.classes:
                distances[own] = torch.minimum(distances[own], features[:, value])
        known = (features[:, self._sets.classes : self._sets.classes + 1] > 0).float()
        return torch.cat([torch.stack(distances, 1), features[:, self.classes :]], 1), known

    def _points(
        self, rng: RandomGenerator, batch: int, spatial: SpatialStrength | None = None
    ) -> torch.Tensor:
        """Return the canonical points of randomly placed patches, deformed if `spatial` is given.

        They are (batch, *coarse shape, dims): maps between cases are smooth, so that they are
        composed at every third voxel and interpolated to the patch afterwards.
        """
        shape = tuple(max(2, -(-size // 3)) for size in self.patch_size)
        if spatial is None:
            grid = identity_grid(shape, self.device)
            grid = grid.expand(batch, *grid.shape[1:])
        else:
            grid = random_grid(rng, batch, shape, spatial)
        reach = (torch.tensor(self.patch_size, device=self.device) - 1) / 2
        room = (self.half_size - reach).clamp_min(0)
        dims = len(self.patch_size)
        offset = (rng.uniform(batch, *[1] * dims, dims, low=-1.0) * room).round()
        return (grid * reach.flip(0) + offset.flip(-1)) / self.half_size.flip(0)

    def _to_patch(self, points: torch.Tensor) -> torch.Tensor:
        return interpolate_control_points(points.movedim(-1, 1), self.patch_size).movedim(1, -1)

    def _blend(
        self, pair: int, at: torch.Tensor, time: float, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image and label of a blend of two cases."""
        first, second = self.partners[pair]
        inner = np.clip(time, 0.02, 0.98)
        weight = torch.sigmoid(noise + np.log(inner / (1 - inner)))
        origin = at - time * self._displacement(pair, at)
        origin = at - time * self._displacement(pair, origin)
        counterpart = origin + self._displacement(pair, origin)
        here = self.features[first].at(self._to_patch(origin))
        there = self.features[second].at(self._to_patch(counterpart))
        image, label = self._divided(torch.lerp(here, there, weight))
        if self._sets is not None:
            first_label, second_label = (self._divided(each)[1] for each in (here, there))
            label = combined_labels(label, first_label, second_label, weight, self._sets)
        return image, label

    def _displacement(self, pair: int, points: torch.Tensor) -> torch.Tensor:
        return sample(self.displacements[pair : pair + 1], points).movedim(1, -1)


def combined_labels(
    blended: torch.Tensor,
    here: torch.Tensor,
    there: torch.Tensor,
    weight: torch.Tensor,
    sets: LabelSets,
) -> torch.Tensor:
    """Return the labels of a blend: sets of classes where either case has one.

    Args:
        blended: labels (batch, 1, *shape) by the interpolated signed distances.
        here: labels of the first case at the corresponding points.
        there: labels of the second case.
        weight: of the second case.
        sets: meaning of the labels.

    Returns:
        Where one label allows all that the other allows, the former; where neither does, ignored.
    """
    here = torch.where(weight > 1 - _MIN_FRACTION, there, here)
    there = torch.where(weight < _MIN_FRACTION, here, there)
    members = sets.members.to(here.device)
    allowed = members[here], members[there]
    both = torch.full_like(here, sets.classes)
    both = torch.where((allowed[0] >= allowed[1]).all(-1), here, both)
    both = torch.where((allowed[1] >= allowed[0]).all(-1), there, both)
    is_set = (here >= sets.classes) | (there >= sets.classes)
    # near the border of a set, the interpolated distances may name it although neither case does
    known = torch.where(blended < sets.classes, blended, here)
    return torch.where(is_set, both, known)


def nearest_class(distances: torch.Tensor) -> torch.Tensor:
    """Return the label (batch, 1, *shape) of signed distances (batch, class, *shape).

    Each voxel belongs to the class it lies deepest in, background included: classes that touch in
    both cases touch in the blend, without gap or overlap.
    """
    return argmax_channel(-distances)


def align_to_voxels(center: torch.Tensor, patch_size: Sequence[int]) -> torch.Tensor:
    """Move a center so that patches lie on voxels; real pairs are then not blurred."""
    reach = (torch.tensor(list(patch_size)) - 1) / 2
    return (center - reach).round() + reach


def _half_size(shapes: Sequence[Sequence[int]], patch_size: Sequence[int]) -> torch.Tensor:
    largest = torch.tensor([list(shape) for shape in shapes]).amax(dim=0)
    return (torch.maximum(largest, torch.tensor(list(patch_size))).float() - 1) / 2
