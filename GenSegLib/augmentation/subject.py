"""A labeled case as a training sees it, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

Box = tuple[slice, ...]


class PatchSource(Protocol):
    """Where patches of one case are cut out of; see :meth:`LabeledCase.patches`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis, at least those of a patch."""

    @property
    def voxels(self) -> Sequence[torch.Tensor]:
        """The places (n, dims) of voxels of each class that is there."""

    def cut(self, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image (channel, *size) and label (1, *size) of a box."""


class LabeledCase(Protocol):
    """A labeled case, in memory or on disk."""

    @property
    def name(self) -> str:
        """The case's name."""

    @property
    def image(self) -> torch.Tensor:
        """All of the image (channel, *shape)."""

    @property
    def label(self) -> torch.Tensor:
        """All of the label (*shape), in classes."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm."""

    @property
    def coarse(self) -> LabeledCase | None:
        """The same case at the preset's coarse spacing, where it has one."""

    def voxel_counts(self) -> dict[int, int]:
        """Return how many voxels each class has that is there, background left out."""

    def centroid(self) -> torch.Tensor:
        """Return the mean place of the foreground in voxels; the middle where there is none."""

    def extent(self) -> tuple[int, ...]:
        """Return the size in voxels of what blends of this case are drawn from."""

    def patches(self, size: Sequence[int]) -> PatchSource:
        """Return where patches of a size are cut from; a smaller case is padded with zeros."""

    def close_up(self) -> Subject:
        """Return the case, or where it is large its part around the foreground, in memory."""


@dataclass(frozen=True)
class Subject:
    """A labeled case in memory; see `LabeledCase`."""

    name: str
    image: torch.Tensor
    label: torch.Tensor
    spacing: tuple[float, ...]
    coarse: Subject | None = None

    def voxel_counts(self) -> dict[int, int]:
        """See `LabeledCase`."""
        counts = torch.bincount(self.label.flatten()).tolist()
        return {value: count for value, count in enumerate(counts) if value and count}

    def centroid(self) -> torch.Tensor:
        """See `LabeledCase`."""
        found = torch.nonzero(self.label > 0).cpu()
        if len(found) == 0:
            found = torch.tensor([[(size - 1) // 2 for size in self.label.shape]])
        return found.float().mean(dim=0)

    def extent(self) -> tuple[int, ...]:
        """Return the whole size."""
        return tuple(self.label.shape)

    def patches(self, size: Sequence[int]) -> PatchSource:
        """See `LabeledCase`."""
        image, label = _padded(self.image, size), _padded(self.label[None], size)
        return _PaddedCase(image, label, _voxels_by_class(label[0]))

    def close_up(self) -> Subject:
        """Return the case itself."""
        return self


@dataclass(frozen=True)
class _PaddedCase:
    image: torch.Tensor
    label: torch.Tensor
    voxels: list[torch.Tensor]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.label.shape[1:])

    def cut(self, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        place = (slice(None), *box)
        return self.image[place], self.label[place].long()


def padding(shape: Sequence[int], size: Sequence[int]) -> list[tuple[int, int]]:
    """Return how many voxels each axis lacks to a size, before it and behind it."""
    missing = [max(0, want - have) for have, want in zip(shape, size)]
    return [(count // 2, count - count // 2) for count in missing]


def _padded(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    margins = padding(volume.shape[1:], size)
    return F.pad(volume, [value for pair in reversed(margins) for value in pair])


def _voxels_by_class(label: torch.Tensor) -> list[torch.Tensor]:
    values = [int(value) for value in label.unique() if value > 0]
    return [torch.nonzero(label == value).cpu() for value in values]
