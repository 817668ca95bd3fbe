"""Preprocessed cases as a training uses them: the interface, and cases held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..images.geometry import full_box

Box = tuple[slice, ...]
Indices = TypeVar("Indices", torch.Tensor, NDArray[Any])

MAX_INDICES = 20_000  # annotated voxels of a case that patches may be placed around


class CasePatches(Protocol):
    """One case, padded to at least the patch size; see :meth:`TrainingCase.patches`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Padded size in voxels."""

    @property
    def voxels(self) -> Sequence[torch.Tensor]:
        """Voxel indices (n, dims) of each foreground class that is present."""

    @property
    def annotated(self) -> torch.Tensor | None:
        """Indices (n, dims) of voxels that are not ignored, or evenly drawn ones of many.

        None if no voxel is ignored.
        """

    def cut(self, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image (channel, *size) and label (1, *size) of a box.

        Labels may have a further channel with the regions, see `CaseWithRegions`.
        """


class PatchSource(Protocol):
    """What patches are sampled from."""

    @property
    def coarse(self) -> PatchSource | None:
        """The same case at the preset's coarse spacing, if the preset has one."""

    def patches(self, size: Sequence[int]) -> CasePatches:
        """Return a source of patches of a size; smaller cases are padded with zeros."""


class TrainingCase(PatchSource, Protocol):
    """A preprocessed case, in memory or on disk."""

    @property
    def name(self) -> str:
        """Case name."""

    @property
    def image(self) -> torch.Tensor:
        """Whole image (channel, *shape)."""

    @property
    def label(self) -> torch.Tensor:
        """Whole label map (*shape) of class indices, and of values of `LabelSets` beyond them."""

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm."""

    @property
    def coarse(self) -> TrainingCase | None:
        """The same case at the preset's coarse spacing, if the preset has one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Size in voxels."""

    def voxel_counts(self) -> dict[int, int]:
        """Return the number of voxels of each value of the label, background included."""

    def centroid(self) -> torch.Tensor:
        """Return the foreground's mean voxel index; the image center if there is none."""

    def extent(self) -> tuple[int, ...]:
        """Return the size in voxels of the region from which blended pairs are sampled."""

    def foreground_box(self) -> Box:
        """Return the box of the foreground and a margin; for a case in memory, of the whole."""

    def read_box(self, box: Box) -> InMemoryCase:
        """Return a box of the case in memory."""


@dataclass(frozen=True)
class InMemoryCase:
    """A case in memory; see `TrainingCase`.

    Attributes:
        classes: number of classes; larger values of the label are those of `LabelSets`, first that
            of ignored voxels. 0 if all values are classes.
    """

    name: str
    image: torch.Tensor
    label: torch.Tensor
    spacing: tuple[float, ...]
    coarse: InMemoryCase | None = None
    classes: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """See `TrainingCase`."""
        return tuple(self.label.shape)

    def voxel_counts(self) -> dict[int, int]:
        """See `TrainingCase`."""
        counts = torch.bincount(self.label.flatten()).tolist()
        return {value: count for value, count in enumerate(counts) if count}

    def centroid(self) -> torch.Tensor:
        """See `TrainingCase`."""
        found = torch.nonzero(self._is_foreground(self.label)).cpu()
        if len(found) == 0:
            found = torch.tensor([[(size - 1) // 2 for size in self.label.shape]])
        return found.float().mean(dim=0)

    def extent(self) -> tuple[int, ...]:
        """Return the whole size."""
        return tuple(self.label.shape)

    def patches(self, size: Sequence[int]) -> CasePatches:
        """See `TrainingCase`."""
        image, label = _pad(self.image, size), _pad(self.label[None], size)
        values = [int(value) for value in label.unique() if self._is_foreground(value)]
        voxels = [torch.nonzero(label[0] == value).cpu() for value in values]
        annotated = None
        if self.classes and (self.label == self.classes).any():
            before = [start for start, _ in symmetric_padding(self.shape, size)]
            found = torch.nonzero(self.label != self.classes).cpu()
            annotated = subsample(found) + torch.tensor(before)
        return _PaddedCase(image, label, voxels, annotated)

    def _is_foreground(self, label: torch.Tensor) -> torch.Tensor:
        return (label > 0) & (label < self.classes) if self.classes else label > 0

    def foreground_box(self) -> Box:
        """See `TrainingCase`."""
        return full_box(self.label.shape)

    def read_box(self, box: Box) -> InMemoryCase:
        """See `TrainingCase`."""
        return replace(self, image=self.image[(slice(None), *box)], label=self.label[box])


@dataclass(frozen=True)
class _PaddedCase:
    image: torch.Tensor
    label: torch.Tensor
    voxels: list[torch.Tensor]
    annotated: torch.Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.label.shape[1:])

    def cut(self, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        index = (slice(None), *box)
        return self.image[index], self.label[index].long()


def subsample(indices: Indices) -> Indices:
    """Keep every n-th voxel index (n, dims), so that at most `MAX_INDICES` remain."""
    return indices[:: -(-len(indices) // MAX_INDICES) or 1]


def symmetric_padding(shape: Sequence[int], size: Sequence[int]) -> list[tuple[int, int]]:
    """Return the voxels to add before and after each axis so that ``shape`` reaches ``size``."""
    missing = [max(0, want - have) for have, want in zip(shape, size)]
    return [(count // 2, count - count // 2) for count in missing]


def _pad(volume: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    margins = symmetric_padding(volume.shape[1:], size)
    return F.pad(volume, [value for pair in reversed(margins) for value in pair])
