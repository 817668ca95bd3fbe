"""Features of a case for blending: signed distances to its classes, image, means of its regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch
import torch.nn.functional as F

from ..data.distance_maps import signed_distances
from ..data.stored_case import StoredCase
from ..data.training_case import Box, TrainingCase
from ..images.geometry import full_box
from .interpolation import REACH, MidpointVolume, sample_with_midpoints
from .regions import RegionMap


class Features(Protocol):
    """Features (batch, feature, *shape), sampled at any point of a case."""

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """Return the features at canonical points (batch, *shape, dims).

        Points are in [-1, 1] within the canonical box, last axis first as in ``grid_sample``.
        """


def build_features(
    case: TrainingCase,
    classes: int,
    limit_mm: float,
    center: torch.Tensor,
    half_size: torch.Tensor,
    small: int,
    regions: RegionMap | None = None,
) -> Features:
    """Return the features of a case, computed in the way that suits its size.

    Args:
        case: the case, in memory or on disk.
        classes: number of label values that get signed distances, background included.
        limit_mm: distance to which signed distances are clipped.
        center: center of the canonical box in voxels, on the device that computes.
        half_size: voxels from the center to the sides of the box.
        small: number of values (of all features) up to which midpoints are precomputed.
        regions: of the case; their mean intensities are further features.
    """
    if isinstance(case, StoredCase):
        return StoredFeatures(case, classes, center, half_size, regions)
    label = case.label.cpu().numpy()
    distances = signed_distances(label, classes, case.spacing, limit_mm) / limit_mm
    parts = [distances, case.image]
    if regions is not None:
        parts.append(regions.rendered(full_box(case.shape)))
    volume = torch.cat([part.to(center.device) for part in parts])
    kind = MidpointFeatures if volume.numel() <= small else InMemoryFeatures
    return kind(volume, center, half_size)


class MidpointFeatures:
    """Features (feature, *shape) of a small case with precomputed midpoints; see `Features`."""

    def __init__(self, volume: torch.Tensor, center: torch.Tensor, half_size: torch.Tensor) -> None:
        self._volume = MidpointVolume(volume[None])
        last = torch.tensor(volume.shape[1:], device=volume.device) - 1
        self._scale, self._shift = (2 * half_size / last).flip(0), (2 * center / last - 1).flip(0)

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        return self._volume.at(points * self._scale + self._shift)


class InMemoryFeatures:
    """Features (feature, *shape) in memory, with midpoints near the points; see `Features`."""

    def __init__(self, volume: torch.Tensor, center: torch.Tensor, half_size: torch.Tensor) -> None:
        self._volume, self._center, self._half_size = volume, center, half_size

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        voxels = points.flip(-1) * self._half_size + self._center
        return _sample_region(self._read, self._volume.shape[1:], voxels)

    def _read(self, box: Box) -> torch.Tensor:
        return self._volume[(slice(None), *box)]


class StoredFeatures:
    """Features of a case on disk; only the region around the points is read. See `Features`."""

    def __init__(
        self,
        case: StoredCase,
        classes: int,
        center: torch.Tensor,
        half_size: torch.Tensor,
        regions: RegionMap | None = None,
    ) -> None:
        self._case, self._center, self._half_size = case, center, half_size
        self._classes, self._regions = classes, regions
        self._start = case.distances_start.to(center.device)

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        case = self._case
        voxels = points.flip(-1) * self._half_size + self._center
        coarse = (voxels - self._start) / case.distances_step
        distances = self._sample("distances", coarse) / case.limit_mm
        missing = self._classes - distances.shape[1]  # values that this case does not have
        if missing > 0:
            distances = F.pad(distances, [0, 0] * (distances.ndim - 2) + [0, missing], value=1.0)
        parts = [distances, self._sample("image", voxels)]
        if self._regions is not None:
            parts.append(_sample_region(self._read_regions, case.size_of("image"), voxels))
        return torch.cat(parts, dim=1)

    def _read_regions(self, box: Box) -> torch.Tensor:
        assert self._regions is not None
        return self._regions.rendered(box).to(self._center.device)

    def _sample(self, name: str, voxels: torch.Tensor) -> torch.Tensor:
        return _sample_region(partial(self._case.read, name), self._case.size_of(name), voxels)


def _sample_region(
    read: Callable[[Box], torch.Tensor], size: Sequence[int], voxels: torch.Tensor
) -> torch.Tensor:
    """Sample an array (channel, *size) at voxels (batch, *shape, dims), with edge padding.

    Only the bounding box of the voxels is read, plus the reach of the midpoints.
    """
    last = torch.tensor(size, device=voxels.device) - 1
    inside = voxels.reshape(-1, voxels.shape[-1]).clamp_min(0).minimum(last)
    low = (inside.amin(dim=0).floor() + 1 - REACH).minimum(last - 1).clamp_min(0)
    high = torch.maximum(inside.amax(dim=0).ceil() - 1 + REACH, low + 1).minimum(last)
    box = tuple(slice(int(a), int(b) + 1) for a, b in torch.stack([low, high], dim=1).tolist())
    grid = 2 * (voxels - low) / (high - low).clamp_min(1) - 1
    return sample_with_midpoints(read(box)[None], grid.flip(-1))
