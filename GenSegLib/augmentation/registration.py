"""Deformable registration of all pairs of labeled cases, so that they can be blended.

All cases share one canonical frame: coordinates in [-1, 1] of a box around the centroid of each
case's foreground. The displacement u of a pair, on a coarse grid of control points, makes case j at
x + u(x) match case i at x: mainly their signed distance maps, and their images. All pairs are
optimized together at low resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .interpolation import interpolate_control_points, sample
from .spatial import identity_grid


@dataclass(frozen=True)
class RegistrationSettings:
    """Settings of the registration.

    Attributes:
        control_points: control points along each axis.
        iterations: steps of Adam.
        lr: learning rate, as a fraction of half the canonical box.
        image_weight: weight of the image channels beside the signed distances.
        smoothness: weight of the displacement's squared differences.
    """

    control_points: int = 7
    iterations: int = 50
    lr: float = 0.03
    image_weight: float = 0.1
    smoothness: float = 0.3


def register(
    fixed: torch.Tensor,
    moving: torch.Tensor,
    classes: int,
    settings: RegistrationSettings,
    known: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Return displacements (pair, dims, *control points), last axis first as in ``grid_sample``.

    Args:
        fixed: features (pair, feature, *shape): signed distances scaled to [-1, 1], then images.
        moving: features of each pair's other case.
        classes: number of features that are signed distances.
        settings: settings of the registration.
        known: 1 where the features of `fixed` and of `moving` count, else 0 (pair, 1, *shape).
    """
    count, channels, *shape = fixed.shape
    dims, device = len(shape), fixed.device
    weights = torch.ones(channels, device=device)
    weights[classes:] = settings.image_weight
    weights = weights.reshape(1, -1, *[1] * dims)
    size = [settings.control_points] * dims
    points = torch.zeros(count, dims, *size, device=device, requires_grad=True)
    optimizer = torch.optim.Adam([points], lr=settings.lr)
    identity = identity_grid(tuple(shape), device)
    for _ in range(settings.iterations):
        grid = identity + interpolate_control_points(points, shape).movedim(1, -1)
        errors = weights * (sample(moving, grid) - fixed) ** 2
        if known is not None:
            errors = errors * known[0] * sample(known[1], grid)
        error = errors.sum(dim=1).mean()
        roughness = sum((points.diff(dim=axis) ** 2).mean() for axis in range(2, dims + 2))
        optimizer.zero_grad()
        (count * (error + settings.smoothness * roughness)).backward()
        optimizer.step()
    return points.detach()
