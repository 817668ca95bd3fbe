"""What covers the surface in photos (batch, channel, x, y): specular highlights and hair.

Both are differentiable in their strength, the opacity of the most opaque ones.
"""

from __future__ import annotations

import torch

from .intensity import Strength
from .random_generator import RandomGenerator

_SPOTS, _PLACES = 8, 6  # highlights of an image, and places each chooses the brightest from
_RADIUS = (0.004, 0.03)  # of highlights, as fractions of the image's longer side
_STRETCH = 3.0  # largest ratio of a highlight's diameters
_HAIRS, _SEGMENTS = 6, 6
_HAIR_WIDTH = (0.3, 1.0)  # from the middle to the edge, in voxels
_BEND = 0.3  # of a hair's length
_DARKNESS = 0.1  # of hair, between the darkest and the brightest of the image
_EDGE = 0.4  # voxels over which both fade


def highlights(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Cover bright places with a few white spots."""
    points = _points(images)
    high = images.amax(dim=(1, 2, 3), keepdim=True)
    centers = _bright_places(images, points, rng)
    low, span = _RADIUS[0], _RADIUS[1] - _RADIUS[0]
    batch, longest = len(images), max(images.shape[2:])
    radius = (low + span * rng.uniform(batch, _SPOTS, 1) ** 2) * longest
    angle = torch.pi * rng.uniform(batch, _SPOTS, 1)
    stretch = 1 + (_STRETCH - 1) * rng.uniform(batch, _SPOTS, 1)
    x, y = (points - centers[:, :, None]).unbind(-1)
    along = torch.cos(angle) * x + torch.sin(angle) * y
    across = torch.cos(angle) * y - torch.sin(angle) * x
    distance = ((along / stretch) ** 2 + across**2).sqrt()
    present = (rng.uniform(batch, _SPOTS, 1) < 0.5).float()
    return _cover(images, present * (radius - distance), present, high, strength, rng)


def hair(images: torch.Tensor, strength: Strength, rng: RandomGenerator) -> torch.Tensor:
    """Cover images with a few dark, bent lines."""
    batch, size = len(images), images.new_tensor(images.shape[2:])
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    ends = (rng.uniform(batch, _HAIRS, 2, 2) * 1.4 - 0.2) * size
    start, stop = ends.unbind(2)
    normal = torch.stack([start[..., 1] - stop[..., 1], stop[..., 0] - start[..., 0]], dim=-1)
    bend = _BEND * rng.normal(batch, _HAIRS, 1) * normal
    t = torch.linspace(0, 1, _SEGMENTS + 1, device=images.device)[:, None]
    line = torch.lerp(start[:, :, None], stop[:, :, None], t) + 4 * t * (1 - t) * bend[:, :, None]
    distance = _distance_to_line(_points(images), line)
    width = _HAIR_WIDTH[0] + (_HAIR_WIDTH[1] - _HAIR_WIDTH[0]) * rng.uniform(batch, _HAIRS, 1)
    present = (rng.uniform(batch, _HAIRS, 1) < 0.5).float()
    color = low + _DARKNESS * (high - low)
    return _cover(images, width - distance, present, color, strength, rng)


def _points(images: torch.Tensor) -> torch.Tensor:
    """Return the voxels' positions (voxel, 2)."""
    axes = [torch.arange(size, device=images.device) for size in images.shape[2:]]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 2).float()


def _bright_places(
    images: torch.Tensor, points: torch.Tensor, rng: RandomGenerator
) -> torch.Tensor:
    """Return the brightest of a few random positions for each spot (batch, spot, 2)."""
    batch, voxels = len(images), len(points)
    chosen = (rng.uniform(batch, _SPOTS * _PLACES) * voxels).long().clamp_max(voxels - 1)
    light = images.mean(1).flatten(1).gather(1, chosen).reshape(batch, _SPOTS, _PLACES)
    best = chosen.reshape(batch, _SPOTS, _PLACES).gather(2, light.argmax(2, keepdim=True))
    return points[best[..., 0]]


def _distance_to_line(points: torch.Tensor, line: torch.Tensor) -> torch.Tensor:
    """Return the distances of points to lines (batch, line, voxel).

    Args:
        points: (voxel, 2).
        line: nodes of each line (batch, line, node, 2).
    """
    found = None
    for start, stop in zip(line.unbind(2), line[:, :, 1:].unbind(2)):
        start, step = start[:, :, None], (stop - start)[:, :, None]
        offset = points - start
        t = (offset * step).sum(-1, keepdim=True) / step.square().sum(-1, keepdim=True)
        distance = (offset - t.clamp(0, 1) * step).norm(dim=-1)
        found = distance if found is None else torch.minimum(found, distance)
    assert found is not None
    return found


def _cover(
    images: torch.Tensor,
    depth: torch.Tensor,
    present: torch.Tensor,
    color: torch.Tensor,
    strength: Strength,
    rng: RandomGenerator,
) -> torch.Tensor:
    """Cover images by objects, whose inside has a depth (batch, object, voxel) above 0."""
    mask = (present * torch.sigmoid(depth / _EDGE)).amax(1).reshape(-1, 1, *images.shape[2:])
    opacity = (strength * (0.5 + 0.5 * rng.uniform(len(images), 1, 1, 1))).clamp(max=1)
    return images + opacity * mask * (color - images)
