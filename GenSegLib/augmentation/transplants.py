"""Image-label pairs of photos: lesions of other cases, with their surroundings.

Photos show no common anatomy that could be registered. A lesion of case j, turned and scaled, takes
the place of the lesion of case i, with a margin of its surroundings, whose colors are matched to
those around the place. The label follows. Compare copy-paste augmentation (Ghiasi et al., CVPR
2021).
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
from .pairs import PairBatch, PairSampler, PairSettings, align_to_voxels
from .random_generator import RandomGenerator
from .spatial import SpatialStrength

_LIMIT = 24.0  # voxels to which distances from a lesion are known
_MARGIN, _LEAST_MARGIN = 0.3, 2.0  # of surroundings: relative to the lesion's radius, in voxels
_SOFTNESS = 0.3  # of the margin, over which the images are mixed
_LARGEST_GAIN = 1.5  # of contrast when colors are matched
_FEW_VOXELS = 16


class Donor(NamedTuple):
    """A case's lesion in the place of another one.

    Attributes:
        image: (1, channel, *shape).
        label: (1, 1, *shape).
        distance: from the lesion in voxels, negative within it (1, 1, *shape).
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
        coordinates: whether pairs have coordinates.
        sets: meaning of labels beyond the classes; None if there are none.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        classes: int,
        patch_size: Sequence[int],
        rng: RandomGenerator,
        rotation: float = 0.0,
        mirror_axes: Sequence[int] = (),
        coordinates: bool = False,
        sets: LabelSets | None = None,
    ) -> None:
        self._rotation, self._mirror_axes = rotation, tuple(mirror_axes)
        counts = [sum(case.voxel_counts().values()) for case in cases]
        self._radii = [math.sqrt(count / math.pi) for count in counts]
        self._frames: list[tuple[torch.Tensor, torch.Tensor]] = []  # center and last voxel
        settings = PairSettings(limit_mm=_LIMIT * sum(cases[0].spacing) / len(cases[0].spacing))
        super().__init__(
            cases, classes, patch_size, rng, settings, coordinates=coordinates, sets=sets
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

    def _real_pairs(
        self, rng: RandomGenerator, batch: int, spatial: SpatialStrength | None
    ) -> PairBatch:
        """Sample real pairs; in the source, another case's lesion covers that of the image."""
        points = self._points(rng, batch, spatial)
        chosen = rng.integers(len(self.partners), batch)
        numbers = rng.normal(batch, 4)
        sources, images, labels = [], [], []
        for index, pair in enumerate(chosen):
            at, (first, second) = points[index : index + 1], self.partners[pair]
            features = self.features[first].at(self._to_patch(at))
            image, label = self._divided(features)
            radius = self._radii[first]
            source = image
            if radius > 0:
                donor = self._donor(second, at, radius, numbers[index])
                donor = donor._replace(distance=self._distance(features, 1.0))
                source, _ = self._cover(image, donor, radius, numbers[index])
            sources.append(source)
            images.append(image)
            labels.append(label)
        parts = [torch.cat(each) for each in (sources, labels, images)]
        return PairBatch(*parts, self._cases_of(chosen), self._coordinates(points))

    def _blend(
        self, pair: int, at: torch.Tensor, time: float, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        first, second = self.partners[pair]
        image, label = self._divided(self.features[first].at(self._to_patch(at)))
        own, other = self._radii[first], self._radii[second]
        if other == 0:
            return image, label
        share = min(max(time, 0.0), 1.0)
        radius = own ** (1 - share) * other**share if own > 0 else other
        # the corners of the noise are independent normal numbers
        numbers = noise[0, 0, :: noise.shape[2] - 1, :: noise.shape[3] - 1].flatten()
        numbers = numbers / self.settings.mixing
        donor = self._donor(second, at, radius, numbers)
        image, weight = self._cover(image, donor, radius, numbers)
        return image, torch.where(weight > 0.5, donor.label, label)

    def _donor(self, case: int, at: torch.Tensor, radius: float, numbers: torch.Tensor) -> Donor:
        """Return a case at canonical points, its lesion scaled to a radius in voxels."""
        scale = self._radii[case] / radius if self._radii[case] > 0 else 1.0
        voxels = at.flip(-1) * self.half_size
        voxels = voxels @ (scale * self._turn(numbers)).to(voxels).T
        features = self.features[case].at(self._to_patch((voxels / self.half_size).flip(-1)))
        image, label = self._divided(features)
        center, last = self._frames[case]
        places = self._to_patch(voxels) + center
        inside = ((places >= 0) & (places <= last)).all(-1)[:, None]
        return Donor(image, label, self._distance(features, 1 / scale), inside)

    def _turn(self, numbers: torch.Tensor) -> torch.Tensor:
        """Return the matrix of a random rotation and mirroring."""
        angle = self._rotation * float(numbers[0])
        cosine, sine = math.cos(angle), math.sin(angle)
        signs = [-1.0 if k in self._mirror_axes and numbers[1 + k] < 0 else 1.0 for k in range(2)]
        return torch.tensor([[cosine, -sine], [sine, cosine]]) * torch.tensor(signs)

    def _distance(self, features: torch.Tensor, scale: float) -> torch.Tensor:
        """Return the distance from the foreground in voxels: minus that from the background."""
        return -features[:, :1] * _LIMIT * scale

    def _cover(
        self, image: torch.Tensor, donor: Donor, radius: float, numbers: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return an image with a donor's lesion, and the donor's weight."""
        margin = max(_LEAST_MARGIN, _MARGIN * radius)
        weight = torch.sigmoid((margin - donor.distance) / (_SOFTNESS * margin)) * donor.inside
        around = (donor.distance > 0) & (donor.distance < 2 * margin) & donor.inside
        share = float(torch.sigmoid(2 * numbers[3] + 2))
        matched = match_colors(donor.image, image, around, share)
        return torch.lerp(image, matched, weight), weight


def match_colors(
    image: torch.Tensor, other: torch.Tensor, around: torch.Tensor, share: float
) -> torch.Tensor:
    """Return an image with mean and contrast of another one in a region, channel by channel.

    Args:
        image: (1, channel, *shape).
        other: (1, channel, *shape).
        around: region (1, 1, *shape); if it is tiny, the image stays as it is.
        share: 0 for no change, 1 for equal means and contrasts.
    """
    if int(around.sum()) < _FEW_VOXELS:
        return image
    shape = (1, -1, *[1] * (image.ndim - 2))
    mine, theirs = (each[:, :, around[0, 0]] for each in (image, other))
    gain = theirs.std(-1) / mine.std(-1).clamp_min(1e-3)
    gain = gain.clamp(1 / _LARGEST_GAIN, _LARGEST_GAIN).reshape(shape) ** share
    mean = mine.mean(-1).reshape(shape)
    return (image - mean) * gain + torch.lerp(mean, theirs.mean(-1).reshape(shape), share)


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
    whole = case.read_box(tuple(slice(0, size) for size in case.shape))
    image, label = whole.image[..., 0].float(), whole.label[..., 0].long()
    return replace(whole, image=image, label=label, spacing=whole.spacing[:2])
