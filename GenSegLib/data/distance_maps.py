"""Signed distance maps of label maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

DISTANCE_LIMIT_MM = 12.0


def signed_distances(
    label: NDArray[Any], classes: int, spacing: tuple[float, ...], limit_mm: float
) -> torch.Tensor:
    """Return signed distances (class, *shape) in mm: negative inside, clipped to ``limit_mm``.

    A class that is absent has ``limit_mm`` everywhere, one that fills the array ``-limit_mm``.
    """
    maps = np.full((classes, *label.shape), limit_mm, dtype=np.float32)
    for value in range(classes):
        mask = label == value
        if mask.all():
            maps[value] = -limit_mm
        elif mask.any():
            outside = distance_transform_edt(~mask, sampling=spacing)
            inside = distance_transform_edt(mask, sampling=spacing)
            maps[value] = np.clip(outside - inside, -limit_mm, limit_mm)
    return torch.from_numpy(maps)
