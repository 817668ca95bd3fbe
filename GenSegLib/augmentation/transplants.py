"""Image-label pairs of photos: lesions of other cases, with their surroundings.

Photos show no common anatomy that could be registered. A lesion of case j, turned and scaled, takes
the place of the lesion of case i, with surroundings that cover that lesion and a margin. Its colors
are matched to those around the place, and the label follows. Compare copy-paste augmentation
(Ghiasi et al., CVPR 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from ..data.label_sets import LabelSets
from ..data.training_case import InMemoryCase, TrainingCase
from ..errors import GenSegError
from ..images.geometry import full_box
from .pairs import PairBatch, PairSampler, PairSettings, align_to_voxels
from .random_generator import RandomGenerator
from .regions import RegionMap

_LIMIT = 24.0  # voxels to which distances from a lesion are known
_MARGIN, _MIN_MARGIN = 0.3, 2.0  # of surroundings: relative to the lesion's radius, in voxels
_SOFTNESS = 0.3  # of the margin, over which the images are mixed
_MIN_MATCH, _MAX_GAIN = 0.7, 1.5  # of means, and of contrast, when colors are matched
_MIN_VOXELS = 16
_MAX_SCALE = 2.0  # of a lesion
_SCATTER = 0.2  # of lesions in photos without one, relative to the patch


class View(NamedTuple):
    """A case at the points of a patch.

    Attributes:
        image: (1, channel, *shape), 0 outside the case's image.
        label: (1, 1, *shape), 0 outside the case's image.
        distance: from the lesion in voxels of the patch, negative within it (1, 1, *shape).
        inside: whether a voxel lies within the case's image (1, 1, *shape).
    """

    image: torch.Tensor
    label: torch.Tensor
    distance: torch.Tensor
    inside: torch.Tensor


class TransplantSampler(PairSampler):
    """Samples pairs like `PairSampler`, but with transplanted lesions instead of registered cases.

    Args:
        cases: labeled 2-D cases, of one spacing.
        classes: number of classes, background included.
        patch_size: size of the sampled pairs in voxels.
        rng: random generator for the choice of partners.
        rotation: standard deviation of a lesion's rotation in radians.
        mirror_axes: axes along which lesions are mirrored.
        sets: meaning of labels beyond the classes; None if there are none.
        regions: of each case, if the pairs are to have them.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        classes: int,
        patch_size: Sequence[int],
        rng: RandomGenerator,
        rotation: float = 0.0,
        mirror_axes: Sequence[int] = (),
        sets: LabelSets | None = None,
        regions: Sequence[RegionMap] = (),
    ) -> None:
        self._rotation, self._mirror_axes = rotation, tuple(mirror_axes)
        self._radii = [_radius(case, classes) for case in cases]
        self._frames: list[tuple[torch.Tensor, torch.Tensor]] = []  # center and last voxel
        settings = PairSettings(limit_mm=_LIMIT * sum(cases[0].spacing) / len(cases[0].spacing))
        super().__init__(
            cases,
            classes,
            patch_size,
            rng,
            settings,
            sets=sets,
            regions=regions,
        )
        for case in cases:
            center = align_to_voxels(case.centroid(), self.patch_size).to(self.device)
            self._frames.append((center, torch.tensor(case.shape, device=self.device) - 1))

    def _choose_partners(self, count: int, rng: RandomGenerator) -> list[tuple[int, int]]:
        """Return pairs whose second case has a lesion."""
        pairs = super()._choose_partners(count, rng)
        return [pair for pair in pairs if self._radii[pair[1]] > 0] or [(0, 0)]

    def _register(self) -> torch.Tensor:
        dims = len(self.patch_size)
        return torch.zeros(len(self.partners), dims, *[2] * dims, device=self.device)

    def _real_pairs(self, rng: RandomGenerator, batch: int) -> PairBatch:
        """Sample real pairs; in the source, another case's lesion covers that of the image."""
        points = self._points(rng, batch)
        chosen = rng.integers(len(self.partners), batch)
        numbers = rng.normal(batch, 4)
        sources, images, labels = [], [], []
        for index, pair in enumerate(chosen):
            first, second = self.partners[pair]
            voxels = self._centered(first, points[index : index + 1])
            own = self._view(first, voxels)
            sources.append(own.image)
            images.append(own.image)
            labels.append(own.label)
            if (radius := self._radii[first]) > 0:
                other = self._placed(second, voxels, radius, numbers[index])
                other = other._replace(distance=own.distance)
                sources[-1], _ = self._cover(own, other, radius, numbers[index])
        source, label, image = map(torch.cat, (sources, labels, images))
        return self._batch(source, label, image, chosen)

    def _single(self, case: int, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        view = self._view(case, self._centered(case, at))
        return view.image, view.label

    def _blend(
        self, pair: int, at: torch.Tensor, time: float, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        first, second = self.partners[pair]
        voxels = self._centered(first, at)
        view = self._view(first, voxels)
        own, other = self._radii[first], self._radii[second]
        if other == 0:
            return view.image, view.label
        # the corners of the noise are independent normal numbers
        numbers = noise[0, 0, :: noise.shape[2] - 1, :: noise.shape[3] - 1].flatten()
        numbers = numbers / self.settings.mixing
        fraction = min(max(time, 0.0), 1.0)
        radius = own ** (1 - fraction) * other**fraction if own > 0 else other
        radius = min(max(radius, other / _MAX_SCALE), other * _MAX_SCALE)
        if own == 0:
            size = torch.tensor(self.patch_size, device=self.device)
            voxels = voxels - _SCATTER * size * numbers[1:3].to(voxels)
        donor = self._placed(second, voxels, radius, numbers)
        distance = torch.minimum(donor.distance, view.distance) if own > 0 else donor.distance
        image, weight = self._cover(view, donor._replace(distance=distance), radius, numbers)
        return image, torch.where(weight > 0.5, donor.label, view.label)

    def _centered(self, case: int, at: torch.Tensor) -> torch.Tensor:
        """Return voxels relative to a case's lesion, of points relative to the image's center."""
        center, last = self._frames[case]
        return at.flip(-1) * self.half_size + (last / 2 - center).round()

    def _placed(
        self, case: int, voxels: torch.Tensor, radius: float, numbers: torch.Tensor
    ) -> View:
        """Return a case whose lesion is at the origin, turned and scaled to a radius in voxels."""
        scale = self._radii[case] / radius if self._radii[case] > 0 else 1.0
        return self._view(case, voxels @ (scale * self._turn(numbers)).to(voxels).T, 1 / scale)

    def _view(self, case: int, voxels: torch.Tensor, scale: float = 1.0) -> View:
        """Return a case at voxels relative to its lesion (1, *coarse, dims), scaled by a factor."""
        features = self.features[case].at(self._to_patch((voxels / self.half_size).flip(-1)))
        image, label = self._divided(features)
        center, last = self._frames[case]
        positions = self._to_patch(voxels) + center
        inside = ((positions > -1) & (positions < last + 1)).all(-1)[:, None]
        distance = -features[:, :1] * _LIMIT * scale  # that from the background, negated
        return View(image * inside, label * inside, distance, inside)

    def _turn(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the matrix of a random rotation and mirroring."""
        angle = self._rotation * float(numbers[0])
        cosine, sine = math.cos(angle), math.sin(angle)
        signs = [-1.0 if k in self._mirror_axes and numbers[1 + k] < 0 else 1.0 for k in range(2)]
        return torch.tensor([[cosine, -sine], [sine, cosine]]) * torch.tensor(signs)

    def _cover(
        self, view: View, donor: View, radius: float, numbers: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the image of a view, covered near the donor's distance 0, and the weight."""
        margin = max(_MIN_MARGIN, _MARGIN * radius)
        inside = view.inside & donor.inside
        weight = torch.sigmoid((margin - donor.distance) / (_SOFTNESS * margin)) * inside
        around = (donor.distance > 0) & (donor.distance < 2 * margin) & inside
        strength = _MIN_MATCH + (1 - _MIN_MATCH) * float(torch.sigmoid(numbers[3]))
        matched = match_colors(donor.image, view.image, around, strength)
        return torch.lerp(view.image, matched, weight), weight


def _radius(case: TrainingCase, classes: int) -> float:
    """Return the radius of a circle with the area of a case's foreground, in voxels."""
    counts = case.voxel_counts()
    return math.sqrt(sum(counts.get(value, 0) for value in range(1, classes)) / math.pi)


def match_colors(
    image: torch.Tensor, other: torch.Tensor, around: torch.Tensor, strength: float
) -> torch.Tensor:
    """Return an image with mean and contrast of another one in a region, channel by channel.

    Args:
        image: (1, channel, *shape).
        other: (1, channel, *shape).
        around: region (1, 1, *shape); if it is tiny, the image stays as it is.
        strength: 0 for no change, 1 for equal means and contrasts.
    """
    if int(around.sum()) < _MIN_VOXELS:
        return image
    shape = (1, -1, *[1] * (image.ndim - 2))
    mine, theirs = (each[:, :, around[0, 0]] for each in (image, other))
    gain = theirs.std(-1) / mine.std(-1).clamp_min(1e-3)
    gain = gain.clamp(1 / _MAX_GAIN, _MAX_GAIN).reshape(shape) ** strength
    mean = mine.mean(-1).reshape(shape)
    return (image - mean) * gain + torch.lerp(mean, theirs.mean(-1).reshape(shape), strength)


def flat_case(case: TrainingCase) -> InMemoryCase:
    """Return a case of one slice (x, y, 1) as a case of two dimensions.

    Raises:
        GenSegError: it has more slices.
    """
    if case.shape[-1] != 1:
        raise GenSegError(
            f"case {case.name} is a volume, but a 2-D preset makes pairs of images only; choose "
            "--generator regions or none"
        )
    whole = case.read_box(full_box(case.shape))
    image, label = whole.image[..., 0].float(), whole.label[..., 0].long()
    return replace(whole, image=image, label=label, spacing=whole.spacing[:2])
