"""Where the windows lie by which an image of any size is segmented.

Windows overlap by half; each is weighted by a Gaussian about its center (Isensee et al., Nat
Methods 2021, doi:10.1038/s41592-020-01008-z).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from monai.data.utils import compute_importance_map
from torch import Tensor

_OVERLAP = 0.5


@dataclass(frozen=True)
class Windows:
    """The windows over an image, in rows across one of its axes.

    Args:
        size: of the image in voxels.
        patch_size: of a window; where the image is smaller it is padded, the same at both ends.
        along: the axis that the rows follow each other along.
    """

    size: tuple[int, ...]
    patch_size: tuple[int, ...]
    along: int = 0

    @property
    def padded_size(self) -> tuple[int, ...]:
        """Size of the image with its padding."""
        return tuple(max(pair) for pair in zip(self.size, self.patch_size))

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Voxels of padding before and after the image, an axis each."""
        added = (new - old for new, old in zip(self.padded_size, self.size))
        return tuple((count // 2, count - count // 2) for count in added)

    @property
    def rows(self) -> list[int]:
        """Where the rows begin along their axis, in the padded image."""
        return self._starts(self.along)

    @property
    def count(self) -> int:
        """How many windows there are."""
        count = 1
        for axis in range(len(self.size)):
            count *= len(self._starts(axis))
        return count

    def row(self, start: int) -> list[tuple[slice, ...]]:
        """Give the windows of the row at `start`, as boxes of the padded image."""
        starts = [self._starts(axis) for axis in range(len(self.size))]
        starts[self.along] = [start]
        return [
            tuple(slice(begin, begin + edge) for begin, edge in zip(corner, self.patch_size))
            for corner in product(*starts)
        ]

    def pad(self, image: Tensor) -> Tensor:
        """Pad an image (batch, channel, *size) with zeros to `padded_size`."""
        flat = [count for margin in reversed(self.margins) for count in margin]
        return F.pad(image, flat) if any(flat) else image

    def weights(self) -> Tensor:
        """Give the weight of each voxel of a window, (*patch_size) float32."""
        return compute_importance_map(self.patch_size, mode="gaussian", dtype=torch.float32)

    def _starts(self, axis: int) -> list[int]:
        size, edge = self.padded_size[axis], self.patch_size[axis]
        step = max(1, int(edge * (1 - _OVERLAP)))
        return [*range(0, size - edge, step), size - edge]
