"""What a prediction may take of main memory and of a device's, and what fits into it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..computing.memory import default_limit, describe_memory, resident
from ..errors import GenSegError
from ..images.image_io import Volume
from ..images.resampling import SLAB_VOXELS
from .windows import Windows

_SHARE_OF_FREE = 0.9
_MOST_WINDOWS = 8
_SLABS = 4


@dataclass(frozen=True)
class Budget:
    """The most bytes of main memory, and of a device's, that the process may take."""

    host: int
    device: int

    @classmethod
    def choose(cls, device: torch.device, most: int | None = None) -> Budget:
        """Take what the user allows, or most of what is free.

        Args:
            device: that the networks run on.
            most: bytes, of main memory and of the device's memory; None for what there is.
        """
        free = _free_on(device)
        return cls(most or default_limit(), free if most is None else min(free, most))

    def require(self, needed: int, purpose: str) -> None:
        """Make sure that main memory has room for more.

        Args:
            needed: bytes beside those that the process holds.
            purpose: for the message.

        Raises:
            GenSegError: it has not.
        """
        left = self.host - resident()
        if needed > left:
            raise GenSegError(
                f"{purpose} would take {describe_memory(needed)} more of main memory, and "
                f"{describe_memory(left)} of {describe_memory(self.host)} are left; allow more "
                "with --max-memory, or close other programs"
            )

    def precision(self, classes: int, windows: Windows) -> torch.dtype:
        """Choose what the sums of the windows are held in: half precision where they are large.

        Raises:
            GenSegError: even those do not fit.
        """
        if sum_bytes(classes, windows, torch.float32) <= self.host - resident():
            return torch.float32
        self.require(sum_bytes(classes, windows, torch.float16), f"a slab of {classes} classes")
        return torch.float16

    def collects_on_device(self, classes: int, windows: Windows) -> bool:
        """Tell whether the sums take no more than half of the device's memory."""
        return sum_bytes(classes, windows, torch.float32) <= self.device // 2

    def windows_at_once(self, per_window: int) -> int:
        """Tell how many windows of so many bytes each fit into half of the device's memory."""
        return max(1, min(_MOST_WINDOWS, self.device // 2 // max(per_window, 1)))


def sum_bytes(classes: int, windows: Windows, precision: torch.dtype) -> int:
    """Give the bytes that the sums of a sweep take at most, and what is made of them."""
    across = math.prod(windows.padded_size) // windows.padded_size[windows.along]
    thickness = windows.patch_size[windows.along]
    held = classes * torch.finfo(precision).bits // 8
    released = (classes * 4 + held) / 2
    return int(across * thickness * (held + 4 + 3 * released))


def passage_bytes(image: Volume, spacing: Sequence[float] | None, classes: int) -> int:
    """Give the bytes that an image takes on its way to a spacing, and its segmentation on the way.

    That is the image at the spacing, twice where it is resampled (before and after it is
    normalized and padded), and a few slabs of class probabilities. What the network itself takes
    for a window is not counted.

    Args:
        image: of any voxel type.
        spacing: in mm; None for the image's own.
        classes: of the segmentation, with background.
    """
    scale = np.divide(image.spacing, spacing or image.spacing)
    own = image.array.size
    prepared = own * float(np.prod(scale))
    copies = 1 if np.allclose(scale, 1, rtol=1e-3) else 2
    slab = min(SLAB_VOXELS, classes * max(own, prepared))
    return int(4 * (copies * prepared + _SLABS * slab))


def _free_on(device: torch.device) -> int:
    if device.type == "cuda":
        return int(_SHARE_OF_FREE * torch.cuda.mem_get_info(device)[0])
    return default_limit()
