"""Random patches of labeled cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from ..data.training_case import Box, TrainingCase
from .random_generator import RandomGenerator

FOREGROUND_FRACTION = 0.5


class AnyPatchSampler(Protocol):
    """Samples batches of patches."""

    def sample(self, rng: RandomGenerator, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (batch, channel, *patch) and labels (batch, 1, *patch)."""


class PatchSampler:
    """Samples patches, a fraction of them centered on a random voxel of a random class.

    Args:
        cases: labeled cases; those smaller than a patch are padded with zeros.
        patch_size: in voxels.
        foreground_fraction: fraction of patches that are centered on a foreground voxel.
    """

    def __init__(
        self,
        cases: Sequence[TrainingCase],
        patch_size: Sequence[int],
        foreground_fraction: float = FOREGROUND_FRACTION,
    ) -> None:
        self.patch_size = tuple(patch_size)
        self.foreground_fraction = foreground_fraction
        self.cases = [case.patches(self.patch_size) for case in cases]

    def sample(self, rng: RandomGenerator, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `AnyPatchSampler`."""
        boxes = [(case, self._box(rng, case)) for case in rng.integers(len(self.cases), batch)]
        images, labels = zip(*(self.cases[case].cut(box) for case, box in boxes))
        return torch.stack(images), torch.stack(labels)

    def _box(self, rng: RandomGenerator, case: int) -> Box:
        shape, classes = self.cases[case].shape, self.cases[case].voxels
        places = rng.uniform(len(shape)).tolist()
        center = None
        if classes and float(rng.uniform(1)) < self.foreground_fraction:
            voxels = classes[rng.integers(len(classes), 1)[0]]
            center = voxels[rng.integers(len(voxels), 1)[0]].tolist()
        box = []
        for axis, (have, want) in enumerate(zip(shape, self.patch_size)):
            start = int(places[axis] * (have - want + 1))
            if center is not None:
                start = min(max(center[axis] - want // 2, 0), have - want)
            box.append(slice(start, start + want))
        return tuple(box)


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
