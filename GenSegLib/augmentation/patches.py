"""Random patches of labelled cases."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .morphs import Subject
from .randomness import Randomness

FOREGROUND_SHARE = 0.5


class PatchSampler:
    """Draws patches; a share of them is centered on a random voxel of a random class.

    Args:
        subjects: the labelled cases; those smaller than a patch are padded with zeros.
        patch_size: in voxels.
    """

    def __init__(self, subjects: Sequence[Subject], patch_size: Sequence[int]) -> None:
        self.patch_size = tuple(patch_size)
        self.images = [self._padded(subject.image) for subject in subjects]
        self.labels = [self._padded(subject.label[None]) for subject in subjects]
        self.voxels = [_voxels_by_class(label[0]) for label in self.labels]

    def draw(self, rng: Randomness, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images (batch, channel, *patch) and labels (batch, 1, *patch)."""
        boxes = [self._box(rng, case) for case in rng.integers(len(self.images), batch)]
        images = torch.stack([_cut(self.images[case], box) for case, box in boxes])
        labels = torch.stack([_cut(self.labels[case], box) for case, box in boxes])
        return images, labels

    def _padded(self, volume: torch.Tensor) -> torch.Tensor:
        margins = []
        for have, want in zip(volume.shape[1:], self.patch_size):
            missing = max(0, want - have)
            margins.append((missing // 2, missing - missing // 2))
        return F.pad(volume, [value for pair in reversed(margins) for value in pair])

    def _box(self, rng: Randomness, case: int) -> tuple[int, tuple[slice, ...]]:
        shape = self.labels[case].shape[1:]
        places = rng.uniform(len(shape)).tolist()
        kinds = self.voxels[case]
        center = None
        if kinds and float(rng.uniform(1)) < FOREGROUND_SHARE:
            voxels = kinds[rng.integers(len(kinds), 1)[0]]
            center = voxels[rng.integers(len(voxels), 1)[0]].tolist()
        box = []
        for axis, (have, want) in enumerate(zip(shape, self.patch_size)):
            start = int(places[axis] * (have - want + 1))
            if center is not None:
                start = min(max(center[axis] - want // 2, 0), have - want)
            box.append(slice(start, start + want))
        return case, tuple(box)


def _cut(volume: torch.Tensor, box: tuple[slice, ...]) -> torch.Tensor:
    return volume[(slice(None), *box)]


def _voxels_by_class(label: torch.Tensor) -> list[torch.Tensor]:
    values = [int(value) for value in label.unique() if value > 0]
    return [torch.nonzero(label == value).cpu() for value in values]
