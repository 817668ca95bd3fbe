"""How far a generator's attempts are from real images, in one number.

A difference voxel by voxel, as published, teaches blurring, since detail never registers exactly.
A coarse one takes means over blocks and leaves fine detail to the adversary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

BLOCK = 4


def coarse(images: torch.Tensor) -> torch.Tensor:
    """Return the means of blocks of ``BLOCK`` voxels a side; what fills no block is left out.

    As reductions, since PyTorch's 3-D pooling has a gradient without a fixed order on cards.
    """
    for axis in range(2, images.ndim):
        whole = images.narrow(axis, 0, images.shape[axis] // BLOCK * BLOCK)
        images = whole.unflatten(axis, (-1, BLOCK)).mean(axis + 1)
    return images


def coarse_difference(attempts: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return the mean absolute difference of blocks' means."""
    return F.l1_loss(coarse(attempts), coarse(images))


# by the names of TrainConfig.difference
DIFFERENCES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "coarse": coarse_difference,
    "voxels": F.l1_loss,
}
