"""What blending mixes of a case: signed distances to its classes, then its image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch

from .interpolation import REACH, FineVolume, sample_finely
from .shapes import signed_distances
from .stored import StoredSubject
from .subject import Box, LabeledCase


class Features(Protocol):
    """Gives features (batch, feature, *shape) anywhere in a case."""

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """Return the features at canonical points (batch, *shape, dims).

        They go from -1 to 1 in the canonical box, last axis first as ``grid_sample`` has it.
        """


def features_of(
    subject: LabeledCase,
    classes: int,
    limit_mm: float,
    center: torch.Tensor,
    half: torch.Tensor,
    small: int,
) -> Features:
    """Return the features of a case, of a larger one piece by piece, from memory or from disk.

    Args:
        subject: the case.
        classes: classes, background included.
        limit_mm: distance at which signed distance maps are capped.
        center: voxel at which the canonical box is centered, on the device that computes.
        half: voxels from there to its sides.
        small: values (of all features) of a case whose midpoints are kept in memory.
    """
    if isinstance(subject, StoredSubject):
        return StoredFeatures(subject, center, half)
    label = subject.label.cpu().numpy()
    distances = signed_distances(label, classes, subject.spacing, limit_mm) / limit_mm
    volume = torch.cat([distances.to(center.device), subject.image.to(center.device)])
    kind = FineFeatures if volume.numel() <= small else MemoryFeatures
    return kind(volume, center, half)


class FineFeatures:
    """Features (feature, *shape) of a small case, their midpoints in memory; see `Features`."""

    def __init__(self, volume: torch.Tensor, center: torch.Tensor, half: torch.Tensor) -> None:
        self._volume = FineVolume(volume[None])
        last = torch.tensor(volume.shape[1:], device=volume.device) - 1
        self._scale, self._shift = (2 * half / last).flip(0), (2 * center / last - 1).flip(0)

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        return self._volume.at(points * self._scale + self._shift)


class MemoryFeatures:
    """Features (feature, *shape) in memory, midpoints only around the points; see `Features`."""

    def __init__(self, volume: torch.Tensor, center: torch.Tensor, half: torch.Tensor) -> None:
        self._volume, self._center, self._half = volume, center, half

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        voxels = points.flip(-1) * self._half + self._center
        return _sampled(self._read, self._volume.shape[1:], voxels)

    def _read(self, box: Box) -> torch.Tensor:
        return self._volume[(slice(None), *box)]


class StoredFeatures:
    """Features of a case on disk; only the box around the points is read. See `Features`."""

    def __init__(self, subject: StoredSubject, center: torch.Tensor, half: torch.Tensor) -> None:
        self._subject, self._center, self._half = subject, center, half
        self._start = subject.distances_start.to(center.device)

    def at(self, points: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        subject = self._subject
        voxels = points.flip(-1) * self._half + self._center
        knots = (voxels - self._start) / subject.distances_step
        distances = self._sampled("distances", knots) / subject.limit_mm
        return torch.cat([distances, self._sampled("image", voxels)], dim=1)

    def _sampled(self, name: str, voxels: torch.Tensor) -> torch.Tensor:
        return _sampled(partial(self._subject.read, name), self._subject.size_of(name), voxels)


def _sampled(
    read: Callable[[Box], torch.Tensor], size: Sequence[int], voxels: torch.Tensor
) -> torch.Tensor:
    """Return an array (channel, *size) at voxels (batch, *shape, dims), its border kept.

    Only the box around them is read, and as far beyond it as midpoints depend on.
    """
    last = torch.tensor(size, device=voxels.device) - 1
    inside = voxels.reshape(-1, voxels.shape[-1]).clamp_min(0).minimum(last)
    low = (inside.amin(dim=0).floor() + 1 - REACH).minimum(last - 1).clamp_min(0)
    high = torch.maximum(inside.amax(dim=0).ceil() - 1 + REACH, low + 1).minimum(last)
    box = tuple(slice(int(a), int(b) + 1) for a, b in torch.stack([low, high], dim=1).tolist())
    grid = 2 * (voxels - low) / (high - low).clamp_min(1) - 1
    return sample_finely(read(box)[None], grid.flip(-1))
