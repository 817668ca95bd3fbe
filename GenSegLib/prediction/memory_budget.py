"""Memory limits of a prediction, in main memory and on the device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..computing.memory import default_memory_limit, format_memory, resident_bytes
from ..errors import GenSegError
from ..images.resampling import SLAB_VOXELS
from ..images.volume import Volume
from .sliding_window import SlidingWindows

_USABLE_FRACTION = 0.9
_MAX_BATCH_SIZE = 8
_SLABS = 4


@dataclass(frozen=True)
class MemoryBudget:
    """Upper limits in bytes for the process's main memory and for the device's memory."""

    host: int
    device: int

    @classmethod
    def choose(cls, device: torch.device, limit: int | None = None) -> MemoryBudget:
        """Use the user's limit, or most of the free memory.

        Args:
            device: device of the networks.
            limit: bytes, for main memory and for the device; None for most of what is free.
        """
        free = _free_on(device)
        return cls(limit or default_memory_limit(), free if limit is None else min(free, limit))

    def require(self, needed: int, purpose: str) -> None:
        """Check that main memory has room for an allocation.

        Args:
            needed: bytes in addition to those in use.
            purpose: subject of the error message.

        Raises:
            GenSegError: there is not enough memory.
        """
        left = self.host - resident_bytes()
        if needed > left:
            raise GenSegError(
                f"{purpose} needs {format_memory(needed)} of main memory, but only "
                f"{format_memory(left)} of {format_memory(self.host)} are left; raise "
                "--max-memory or close other programs"
            )

    def precision(self, classes: int, windows: SlidingWindows) -> torch.dtype:
        """Choose the accumulator's data type: half precision only where memory is short.

        Raises:
            GenSegError: not even half precision fits.
        """
        if accumulator_bytes(classes, windows, torch.float32) <= self.host - resident_bytes():
            return torch.float32
        needed = accumulator_bytes(classes, windows, torch.float16)
        self.require(needed, f"a slab of {classes} classes")
        return torch.float16

    def accumulates_on_device(self, classes: int, windows: SlidingWindows) -> bool:
        """Return whether the accumulator takes at most half of the device's memory."""
        return accumulator_bytes(classes, windows, torch.float32) <= self.device // 2

    def batch_size(self, per_window: int) -> int:
        """Return how many windows of a size in bytes fit into half of the device's memory."""
        return max(1, min(_MAX_BATCH_SIZE, self.device // 2 // max(per_window, 1)))


def accumulator_bytes(classes: int, windows: SlidingWindows, precision: torch.dtype) -> int:
    """Return the peak memory of the slab accumulator and of the slabs it returns, in bytes."""
    across = math.prod(windows.padded_size) // windows.padded_size[windows.along]
    thickness = windows.patch_size[windows.along]
    sums = classes * torch.finfo(precision).bits // 8
    returned = (classes * 4 + sums) / 2
    return int(across * thickness * (sums + 4 + 3 * returned))


def preprocessing_bytes(image: Volume, spacing: Sequence[float], classes: int) -> int:
    """Return the memory of preprocessing an image and inverting its segmentation, in bytes.

    Counts the image at the target spacing, twice if it is resampled (before and after
    normalization and padding), and a few slabs of class probabilities; not the network itself.

    Args:
        image: of any voxel type.
        spacing: target spacing along the image's axes in mm.
        classes: number of classes, including background.
    """
    scale = np.divide(image.spacing, spacing)
    own = image.array.size
    prepared = own * float(np.prod(scale))
    copies = 1 if np.allclose(scale, 1, rtol=1e-3) else 2
    slab = min(SLAB_VOXELS, classes * max(own, prepared))
    return int(4 * (copies * prepared + _SLABS * slab))


def _free_on(device: torch.device) -> int:
    if device.type == "cuda":
        return int(_USABLE_FRACTION * torch.cuda.mem_get_info(device)[0])
    return default_memory_limit()
