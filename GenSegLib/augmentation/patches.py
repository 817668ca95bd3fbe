"""Random patches of labeled cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
import torch.nn.functional as F

from ..data.training_case import Box, CasePatches, PatchSource
from .random_generator import RandomGenerator

FOREGROUND_FRACTION = 0.5
_MARGIN = 8  # of the patch size, on either side


def patch_margin(patch_size: Sequence[int]) -> list[int]:
    """Return the voxels around a patch, per axis, from which deformations fill it."""
    return [size // _MARGIN for size in patch_size]


class AnyPatchSampler(Protocol):
    """Samples batches of patches."""

    def sample(self, rng: RandomGenerator, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (batch, channel, *patch) and labels (batch, 1, *patch)."""


class PatchSampler:
    """Samples patches, a fraction of them centered on a random voxel of a random class.

    In cases with ignored voxels, every patch has an annotated one.

    Args:
        cases: labeled cases; those smaller than a patch are padded with zeros.
        patch_size: in voxels.
        foreground_fraction: fraction of patches that are centered on a foreground voxel.
        margin: voxels around the patch on either side, per axis, from which deformations fill it.
            Beyond the image they are zeros, as the padding of predictions is.
    """

    def __init__(
        self,
        cases: Sequence[PatchSource],
        patch_size: Sequence[int],
        foreground_fraction: float = FOREGROUND_FRACTION,
        margin: Sequence[int] | None = None,
    ) -> None:
        self.patch_size = tuple(patch_size)
        self.margin = tuple(margin or [0] * len(self.patch_size))
        self.foreground_fraction = foreground_fraction
        self.cases = [case.patches(self.patch_size) for case in cases]

    def sample(self, rng: RandomGenerator, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `AnyPatchSampler`."""
        boxes = [(case, self._box(rng, case)) for case in rng.integers(len(self.cases), batch)]
        images, labels = zip(*(self._cut(self.cases[case], box) for case, box in boxes))
        return torch.stack(images), torch.stack(labels)

    def _cut(self, case: CasePatches, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        """Return image (channel, *patch) and label (1, *patch) of a box and its margin."""
        inside, padding = [], []
        for part, size, margin in zip(box, case.shape, self.margin):
            start, stop = part.start - margin, part.stop + margin
            inside.append(slice(max(0, start), min(size, stop)))
            padding.append((max(0, -start), max(0, stop - size)))
        image, label = case.cut(tuple(inside))
        flat = [count for pair in reversed(padding) for count in pair]
        return (F.pad(image, flat), F.pad(label, flat)) if any(flat) else (image, label)

    def _box(self, rng: RandomGenerator, case: int) -> Box:
        shape, classes = self.cases[case].shape, self.cases[case].voxels
        positions = rng.uniform(len(shape)).tolist()
        annotated = self.cases[case].annotated
        center = inside = None
        if classes and float(rng.uniform(1)) < self.foreground_fraction:
            voxels = classes[rng.integers(len(classes), 1)[0]]
            center = voxels[rng.integers(len(voxels), 1)[0]].tolist()
        elif annotated is not None and len(annotated):
            inside = annotated[rng.integers(len(annotated), 1)[0]].tolist()
        box = []
        for axis, (have, want) in enumerate(zip(shape, self.patch_size)):
            low, high = 0, have - want
            if inside is not None:
                low, high = max(0, inside[axis] - want + 1), min(high, inside[axis])
            start = low + int(positions[axis] * (high - low + 1))
            if center is not None:
                start = min(max(center[axis] - want // 2, 0), have - want)
            box.append(slice(start, start + want))
        return tuple(box)


class SliceSampler(PatchSampler):
    """Samples 2-D patches of slices along the last axis, with neighboring slices as channels.

    Images are (batch, channel * (1 + 2 context), *patch), the slices of a channel in order; labels
    (batch, 1, *patch) are those of the middle slice, further channels of labels those of all
    slices. Beyond the first and last slice they repeat.

    Args:
        cases: labeled cases (x, y, z).
        patch_size: (x, y) in voxels.
        foreground_fraction: see `PatchSampler`.
        margin: (x, y), see `PatchSampler`.
        context: number of neighboring slices on either side.
    """

    def __init__(
        self,
        cases: Sequence[PatchSource],
        patch_size: Sequence[int],
        foreground_fraction: float = FOREGROUND_FRACTION,
        margin: Sequence[int] | None = None,
        context: int = 0,
    ) -> None:
        margin = (*(margin or [0] * len(patch_size)), 0)
        super().__init__(cases, (*patch_size, 1), foreground_fraction, margin)
        self.context = context

    def _cut(self, case: CasePatches, box: Box) -> tuple[torch.Tensor, torch.Tensor]:
        middle, last = box[-1].start, case.shape[-1] - 1
        low, high = max(0, middle - self.context), min(last, middle + self.context)
        image, label = super()._cut(case, (*box[:-1], slice(low, high + 1)))
        wanted = range(middle - self.context, middle + self.context + 1)
        indices = [min(max(index, low), high) - low for index in wanted]
        images, regions = (
            part[..., indices].movedim(-1, 1).flatten(0, 1) for part in (image, label[1:])
        )
        return images, torch.cat([label[:1, ..., middle - low], regions])


class MixedSpacingSampler:
    """Samples patches at two spacings, so that one network learns both.

    Args:
        fine: sampler at the fine spacing.
        coarse: sampler at the coarse spacing.
        fraction: expected fraction of coarse patches.
    """

    def __init__(self, fine: AnyPatchSampler, coarse: AnyPatchSampler, fraction: float) -> None:
        self.fine, self.coarse, self.fraction = fine, coarse, fraction

    def sample(self, rng: RandomGenerator, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `AnyPatchSampler`."""
        count = int((rng.uniform(batch) < self.fraction).sum())
        parts = ((self.fine, batch - count), (self.coarse, count))
        images, labels = zip(*(sampler.sample(rng, n) for sampler, n in parts if n))
        return torch.cat(images), torch.cat(labels)


def fine_sampler(sampler: AnyPatchSampler) -> AnyPatchSampler:
    """Return the part of a sampler that samples at the fine spacing."""
    return sampler.fine if isinstance(sampler, MixedSpacingSampler) else sampler
