"""Regions of labeled cases: the background and large classes, divided by intensity and place.

A label names a few structures; the regions also divide what surrounds them, so that each tissue can
get an appearance of its own (see :mod:`.region_appearance`). No region crosses the border of a
class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ..data.training_case import Box, CasePatches, PatchSource, TrainingCase, symmetric_padding
from ..images.geometry import full_box
from .clustering import cluster

BACKGROUND_REGIONS = 10
MAX_VOXELS = 2**20  # of a region map; larger cases have one of lower resolution

_FRACTION_PER_REGION = 0.08  # of a case's voxels; a class gets one more region for each
_MAX_CLASS_REGIONS = 3
_SMOOTHING_VOXELS = 1.5  # of the finest spacing
_POSITION_WEIGHT = 0.3  # of position and distance, relative to a standard deviation of intensity
_DISTANCE_MM = 40.0  # from which on voxels count as far from all classes
_CONSTANT = 0.1  # standard deviations of intensity, below which regions have no texture

Array = NDArray[Any]


@dataclass(frozen=True)
class RegionMap:
    """The regions 1, 2, ... of a case, on its grid or a coarser one.

    Attributes:
        map: (*coarse shape) of regions.
        steps: voxels of the case per entry of the map along each axis.
        shape: size of the case in voxels.
        classes: class of each region.
        fractions: fraction of the case's voxels in each region.
        means, stds: mean and standard deviation of intensity (region, channel).
    """

    map: torch.Tensor
    steps: tuple[int, ...]
    shape: tuple[int, ...]
    classes: tuple[int, ...]
    fractions: torch.Tensor
    means: torch.Tensor
    stds: torch.Tensor

    def cut(self, box: Box, before: Sequence[int]) -> torch.Tensor:
        """Return the regions of a box; 0 outside the case.

        Args:
            box: in voxels of the padded case.
            before: voxels of padding before each axis.
        """
        inside, index = [], []
        for axis, (part, pad) in enumerate(zip(box, before)):
            voxels = torch.arange(part.start - pad, part.stop - pad)
            shape = [-1 if k == axis else 1 for k in range(len(box))]
            inside.append(((voxels >= 0) & (voxels < self.shape[axis])).reshape(shape))
            index.append((voxels.clamp(0, self.shape[axis] - 1) // self.steps[axis]).reshape(shape))
        found = self.map[tuple(index)].long()
        for mask in inside:
            found = found * mask
        return found

    def rendered(self, box: Box) -> torch.Tensor:
        """Return the mean intensity (channel, *size) of each voxel's region in a box."""
        means = torch.cat([torch.zeros_like(self.means[:1]), self.means])
        return means[self.cut(box, [0] * len(box))].movedim(-1, 0)


class DividedCase(PatchSource, Protocol):
    """What can be divided into regions."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm."""


def find_regions(case: DividedCase, seed: int, class_count: int = 0) -> RegionMap:
    """Divide a case into regions, at most `BACKGROUND_REGIONS` of them in the background.

    Args:
        case: preprocessed case.
        seed: of the random generator.
        class_count: number of classes; voxels with larger values, whose class is unknown, are
            divided together with the background. 0 if all values are classes.
    """
    image, label, steps, shape = _reduced(case)
    if class_count:
        label = np.where(label < class_count, label, 0)
    rng = np.random.default_rng(seed)
    features = _features(image, label, [size * n for size, n in zip(case.spacing, steps)])
    unit = _channel_stds(image)
    regions = np.zeros(label.shape, np.int16)
    classes: list[int] = []
    for value in np.unique(label).tolist():
        mask = label == value
        wanted = BACKGROUND_REGIONS if value == 0 else _class_regions(mask.mean())
        found = _merge_constant(cluster(features[mask], wanted, rng), image[:, mask], unit)
        regions[mask] = found + len(classes)
        classes += [value] * (int(found.max()) + 1)
    return _region_map(image, regions, classes, steps, shape)


def image_clusters(case: TrainingCase, seed: int) -> RegionMap:
    """Divide an unlabeled case into regions by intensity alone, wherever they lie."""
    image, _, steps, shape = _reduced(case)
    features = _intensity_features(image, [size * n for size, n in zip(case.spacing, steps)])
    flat, rng = features.reshape(-1, features.shape[-1]), np.random.default_rng(seed)
    found = cluster(flat, BACKGROUND_REGIONS, rng)
    found = _merge_constant(found, image.reshape(len(image), -1), _channel_stds(image))
    regions = found.reshape(image.shape[1:])
    return _region_map(image, regions, [0] * (int(found.max()) + 1), steps, shape)


def _region_map(
    image: Array,
    regions: Array,
    classes: Sequence[int],
    steps: tuple[int, ...],
    shape: tuple[int, ...],
) -> RegionMap:
    """Return the map of regions 0, 1, ... (*coarse shape), which it counts from 1."""
    statistics = region_statistics(image, regions, len(classes))
    tensors = [torch.from_numpy(part.astype(np.float32)) for part in statistics]
    numbers = torch.from_numpy((regions + 1).astype(np.int16))
    return RegionMap(numbers, steps, shape, tuple(classes), *tensors)


def region_statistics(image: Array, regions: Array, count: int) -> tuple[Array, Array, Array]:
    """Return the fraction of voxels (region,), mean and sd (region, channel) of regions 0, 1, ...

    Args:
        image: (channel, *shape).
        regions: (*shape).
        count: number of regions.
    """
    flat = regions.reshape(-1)
    sizes = np.bincount(flat, minlength=count)
    channels = [channel.reshape(-1).astype(np.float64) for channel in image]
    sums = [np.bincount(flat, each, count) for each in channels]
    squares = [np.bincount(flat, each**2, count) for each in channels]
    number = np.maximum(sizes, 1)[:, None]
    means = np.stack(sums, axis=1) / number
    variances = np.stack(squares, axis=1) / number - means**2
    return sizes / max(1, len(flat)), means, np.sqrt(np.maximum(variances, 0))


def _reduced(case: DividedCase) -> tuple[Array, Array, tuple[int, ...], tuple[int, ...]]:
    """Return image (channel, *coarse), label (*coarse), steps in voxels, and the full shape.

    Cases are read slice by slice across the first axis, in which cases on disk are contiguous.
    """
    dims = len(case.spacing)
    patches = case.patches([1] * dims)
    shape = tuple(patches.shape)
    steps = _steps(shape, case.spacing)
    images, labels = [], []
    for index in range(0, shape[0], steps[0]):
        box = (slice(index, index + 1), *full_box(shape[1:]))
        image, label = patches.cut(box)
        every: Box = (slice(None), *(slice(None, None, step) for step in steps))
        images.append(image[every].float().cpu().numpy())
        labels.append(label[every][0].cpu().numpy())
    return np.concatenate(images, axis=1), np.concatenate(labels), steps, shape


def _steps(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """Return steps that keep a map below `MAX_VOXELS`, finest axes first."""
    steps = [1] * len(shape)
    while math.prod(-(-size // step) for size, step in zip(shape, steps)) > MAX_VOXELS:
        sides = zip(steps, spacing, shape)
        lengths = [n * size if n < side else math.inf for n, size, side in sides]
        steps[lengths.index(min(lengths))] += 1
    return tuple(steps)


def _features(image: Array, label: Array, spacing: Sequence[float]) -> Array:
    """Return (*shape, feature): intensity, smoothed intensity, position, distance to classes."""
    axes = [np.linspace(-1, 1, size, dtype=np.float32) for size in label.shape]
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    far = np.full(label.shape, _DISTANCE_MM)
    if (label > 0).any():
        far = np.minimum(distance_transform_edt(label == 0, sampling=spacing), _DISTANCE_MM)
    distance = (far / _DISTANCE_MM).astype(np.float32)[..., None]
    weighted = [_POSITION_WEIGHT * positions, _POSITION_WEIGHT * distance]
    return np.concatenate([_intensity_features(image, spacing), *weighted], axis=-1)


def _intensity_features(image: Array, spacing: Sequence[float]) -> Array:
    """Return (*shape, feature): intensity and smoothed intensity in standard deviations."""
    sigma = [_SMOOTHING_VOXELS * min(spacing) / size for size in spacing]
    parts = []
    for channel, spread in zip(image, _channel_stds(image)):
        scaled = (channel - channel.mean()) / spread
        parts += [scaled, gaussian_filter(scaled, sigma, mode="nearest")]
    return np.stack(parts, axis=-1) / np.float32(math.sqrt(len(image)))


def _channel_stds(image: Array) -> Array:
    """Return the standard deviation of each channel; not 0 for constant ones."""
    return np.maximum(image.reshape(len(image), -1).std(axis=1), np.float32(1e-6))


def _class_regions(fraction: float) -> int:
    return min(_MAX_CLASS_REGIONS, 1 + int(fraction / _FRACTION_PER_REGION))


def _merge_constant(found: Array, values: Array, unit: Array) -> Array:
    """Join clusters of one constant intensity, such as the air in several corners.

    Args:
        found: cluster of each voxel (n,).
        values: intensities (channel, n).
        unit: standard deviation of the whole image (channel,).
    """
    count = int(found.max()) + 1
    _, means, stds = region_statistics(values / unit[:, None], found, count)
    target = np.arange(count)
    constant = np.flatnonzero((stds < _CONSTANT).all(axis=1))
    for k in constant:
        alike = (np.abs(means[constant] - means[k]) < _CONSTANT).all(axis=1)
        target[k] = target[constant[alike][0]]
    return np.unique(target[found], return_inverse=True)[1].reshape(-1)


@dataclass(frozen=True)
class CaseWithRegions:
    """A case whose patches have their regions as a further channel of the label.

    Attributes:
        case: the case.
        regions: its regions.
        offset: added to the regions, so that they differ from those of other cases; voxels outside
            the case stay 0.
        coarse: the same at the coarse spacing, if the case has one.
    """

    case: TrainingCase
    regions: RegionMap
    offset: int
    coarse: CaseWithRegions | None = None

    def patches(self, size: Sequence[int]) -> CasePatches:
        """See `PatchSource`; labels are (2, *size)."""
        before = [pad for pad, _ in symmetric_padding(self.regions.shape, size)]
        return _PatchesWithRegions(self.case.patches(size), self.regions, self.offset, before)


@dataclass(frozen=True)
class _PatchesWithRegions:
    patches: CasePatches
    regions: RegionMap
    offset: int
    before: list[int]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.patches.shape)

    @property
    def voxels(self) -> Sequence[torch.Tensor]:
        return self.patches.voxels

    @property
    def annotated(self) -> torch.Tensor | None:
        return self.patches.annotated

    def cut(self, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        image, label = self.patches.cut(box)
        regions = self.regions.cut(box, self.before)
        regions = torch.where(regions > 0, regions + self.offset, 0)[None].to(label.device)
        return image, torch.cat([label, regions])
