"""Random patches of labeled cases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from .randomness import Randomness
from .subject import Box, LabeledCase

FOREGROUND_SHARE = 0.5


class Patches(Protocol):
    """Draws patches."""

    def draw(self, rng: Randomness, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (batch, channel, *patch) and labels (batch, 1, *patch)."""


class PatchSampler:
    """Draws patches; a share of them is centered on a random voxel of a random class.

    Args:
        subjects: the labeled cases; those smaller than a patch are padded with zeros.
        patch_size: in voxels.
        foreground_share: the share of the patches that are centered on a class.
    """

    def __init__(
        self,
        subjects: Sequence[LabeledCase],
        patch_size: Sequence[int],
        foreground_share: float = FOREGROUND_SHARE,
    ) -> None:
        self.patch_size = tuple(patch_size)
        self.foreground_share = foreground_share
        self.cases = [subject.patches(self.patch_size) for subject in subjects]

    def draw(self, rng: Randomness, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Patches`."""
        boxes = [(case, self._box(rng, case)) for case in rng.integers(len(self.cases), batch)]
        images, labels = zip(*(self.cases[case].cut(box) for case, box in boxes))
        return torch.stack(images), torch.stack(labels)

    def _box(self, rng: Randomness, case: int) -> Box:
        shape, kinds = self.cases[case].shape, self.cases[case].voxels
        places = rng.uniform(len(shape)).tolist()
        center = None
        if kinds and float(rng.uniform(1)) < self.foreground_share:
            voxels = kinds[rng.integers(len(kinds), 1)[0]]
            center = voxels[rng.integers(len(voxels), 1)[0]].tolist()
        box = []
        for axis, (have, want) in enumerate(zip(shape, self.patch_size)):
            start = int(places[axis] * (have - want + 1))
            if center is not None:
                start = min(max(center[axis] - want // 2, 0), have - want)
            box.append(slice(start, start + want))
        return tuple(box)


class MixedPatches:
    """Draws patches at two spacings, so that one network learns both.

    Args:
        fine: draws the others.
        coarse: draws ``share`` of the patches on average.
        share: from 0 to 1.
    """

    def __init__(self, fine: Patches, coarse: Patches, share: float) -> None:
        self.fine, self.coarse, self.share = fine, coarse, share

    def draw(self, rng: Randomness, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Patches`."""
        count = int((rng.uniform(batch) < self.share).sum())
        parts = ((self.fine, batch - count), (self.coarse, count))
        images, labels = zip(*(sampler.draw(rng, many) for sampler, many in parts if many))
        return torch.cat(images), torch.cat(labels)
