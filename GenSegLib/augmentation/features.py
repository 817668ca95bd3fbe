"""What blending mixes of a case: signed distances to its classes, then its image."""

from __future__ import annotations

from typing import Protocol

import torch

from .shapes import signed_distances
from .spatial import sample
from .stored import StoredSubject
from .subject import LabelledCase


class Features(Protocol):
    """Gives features (batch, feature, *shape) anywhere in a case."""

    def at(self, points: torch.Tensor, center: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
        """Return the features at canonical points (batch, *shape, dims).

        Args:
            points: from -1 to 1, last axis first as ``grid_sample`` has it; all on one device.
            center: voxel at which the canonical box is centered.
            half: voxels from there to its sides.
        """


def features_of(
    subject: LabelledCase, classes: int, limit_mm: float, device: torch.device
) -> Features:
    """Return the features of a case: in memory, or read piece by piece where the case is large."""
    if isinstance(subject, StoredSubject):
        return StoredFeatures(subject, device)
    label = subject.label.cpu().numpy()
    distances = signed_distances(label, classes, subject.spacing, limit_mm) / limit_mm
    return MemoryFeatures(torch.cat([distances.to(device), subject.image.to(device)]))


class MemoryFeatures:
    """Features (feature, *shape) in memory; see `Features`."""

    def __init__(self, volume: torch.Tensor) -> None:
        self._volume = volume
        self._last = torch.tensor(volume.shape[1:], device=volume.device) - 1

    def at(self, points: torch.Tensor, center: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        scale, shift = 2 * half / self._last, 2 * center / self._last - 1
        grid = points * scale.flip(0) + shift.flip(0)
        return sample(self._volume.expand(len(points), *self._volume.shape), grid)


class StoredFeatures:
    """Features of a case on disk; only the box around the points is read. See `Features`."""

    def __init__(self, subject: StoredSubject, device: torch.device) -> None:
        self._subject, self._device = subject, device

    def at(self, points: torch.Tensor, center: torch.Tensor, half: torch.Tensor) -> torch.Tensor:
        """See `Features`."""
        subject = self._subject
        voxels = points.flip(-1) * half + center
        knots = (voxels - subject.distances_start.to(self._device)) / subject.distances_step
        distances = self._sampled("distances", knots) / subject.limit_mm
        return torch.cat([distances, self._sampled("image", voxels)], dim=1)

    def _sampled(self, name: str, voxels: torch.Tensor) -> torch.Tensor:
        """Return an array (channel, *size) at voxels (batch, *shape, dims), its border kept."""
        last = torch.tensor(self._subject.size_of(name), device=self._device) - 1
        inside = voxels.reshape(-1, voxels.shape[-1]).clamp_min(0).minimum(last)
        low = inside.amin(dim=0).floor().minimum(last - 1).clamp_min(0)
        high = torch.maximum(inside.amax(dim=0).ceil(), (low + 1).minimum(last))
        box = tuple(slice(int(a), int(b) + 1) for a, b in zip(low, high))
        volume = self._subject.read(name, box)[None].expand(len(voxels), *[-1] * (len(box) + 1))
        grid = 2 * (voxels - low) / (high - low).clamp_min(1) - 1
        return sample(volume, grid.flip(-1))
