"""Signed distance maps, by which shapes are blended without tearing classes apart."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt


def signed_distances(
    label: np.ndarray, classes: int, spacing: tuple[float, ...], limit: float
) -> torch.Tensor:
    """Return signed distances (class, *shape) in mm: negative inside, capped at ``limit``.

    A class that the label lacks is ``limit`` away everywhere, and one that fills it as deep.
    """
    maps = np.full((classes, *label.shape), limit, dtype=np.float32)
    for value in range(classes):
        mask = label == value
        if mask.all():
            maps[value] = -limit
        elif mask.any():
            outside = distance_transform_edt(~mask, sampling=spacing)
            inside = distance_transform_edt(mask, sampling=spacing)
            maps[value] = np.clip(outside - inside, -limit, limit)
    return torch.from_numpy(maps)


def largest(scores: torch.Tensor) -> torch.Tensor:
    """Return the class of the largest score: (batch, class, *shape) to (batch, 1, *shape).

    ``argmax`` over a strided axis takes as long on a CPU as the resampling itself.
    """
    best = scores[:, :1]
    label = torch.zeros_like(best, dtype=torch.long)
    for value in range(1, scores.shape[1]):
        score = scores[:, value : value + 1]
        label = torch.where(score > best, value, label)
        best = torch.maximum(score, best)
    return label


def nearest_class(distances: torch.Tensor) -> torch.Tensor:
    """Return the label (batch, 1, *shape) of distances (batch, class, *shape).

    Every voxel goes to the class that it lies deepest in, the background included: classes that
    touched in both subjects touch in the blend, with neither gap nor overlap.
    """
    return largest(-distances)
