"""Registers every pair of labeled subjects, so that their shapes and images can be blended.

All subjects live in one canonical frame: coordinates in [-1, 1] of a box around the centroid of
each subject's foreground. A pair's displacement u, on a coarse grid of knots, makes subject j at
x + u(x) look like subject i at x: their signed distance maps first of all, their images besides.
All pairs are optimized together at a low resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .interpolation import sample
from .knots import interpolated
from .spatial import identity_grid


@dataclass(frozen=True)
class RegistrationSettings:
    """How pairs are registered; lengths as shares of the canonical box."""

    knots: int = 7
    iterations: int = 50
    rate: float = 0.03
    image_weight: float = 0.1
    smoothness: float = 0.3


def register(
    fixed: torch.Tensor, moving: torch.Tensor, classes: int, settings: RegistrationSettings
) -> torch.Tensor:
    """Return displacements (pair, dims, *knots), last axis first as ``grid_sample`` has it.

    Args:
        fixed: features (pair, feature, *shape): signed distances scaled to [-1, 1], and the image
            as the last channels.
        moving: features of each pair's other subject.
        classes: how many features are signed distances.
        settings: how pairs are registered.
    """
    shape = tuple(fixed.shape[2:])
    dims = len(shape)
    weights = torch.ones(fixed.shape[1], device=fixed.device)
    weights[classes:] = settings.image_weight
    weights = weights.reshape(1, -1, *[1] * dims)
    knots = torch.zeros(
        fixed.shape[0], dims, *[settings.knots] * dims, device=fixed.device, requires_grad=True
    )
    optimizer = torch.optim.Adam([knots], lr=settings.rate)
    identity = identity_grid(shape, fixed.device)
    for _ in range(settings.iterations):
        warped = sample(moving, identity + interpolated(knots, shape).movedim(1, -1))
        error = (weights * (warped - fixed) ** 2).sum(dim=1).mean()
        bending = sum((knots.diff(dim=axis) ** 2).mean() for axis in range(2, dims + 2))
        optimizer.zero_grad()
        (fixed.shape[0] * (error + settings.smoothness * bending)).backward()
        optimizer.step()
    return knots.detach()
