"""Growth and atrophy of single classes: shapes that no labeled case has.

The border of a class moves outward or inward, and the image with it, by a displacement along the
gradient of the smoothed mask, which is largest at the border. So one organ becomes larger among
others that keep their size, as affine and elastic deformations never show it. The displacement has
the same length in mm along all axes, and none along thick ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from .intensity import gaussian_blur
from .random_generator import RandomGenerator
from .spatial import deform, thick_axes

_PROBABILITY = 0.3  # of a sample
_SMOOTHING = 3.0  # voxels of the finest spacing


def grow_classes(
    images: torch.Tensor,
    labels: torch.Tensor,
    classes: int,
    values: int,
    strength: float,
    rng: RandomGenerator,
    spacing: Sequence[float] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Let a random class of a part of the samples grow or shrink.

    Args:
        images: (batch, channel, *s).
        labels: (batch, 1, *s), integer.
        classes: number of classes, background included; larger labels do not grow.
        values: number of label values.
        strength: standard deviation of the displacement of borders in mm.
        rng: random generator, which advances alike for any strength.
        spacing: voxel size in mm; None if it is 1 along all axes.
    """
    batch, dims = len(images), images.ndim - 2
    chosen = rng.bernoulli(batch, _PROBABILITY, 0).flatten() > 0
    ranks, offsets = rng.uniform(batch), strength * rng.normal(batch)
    masks = [_random_class(label, classes, float(rank)) for label, rank in zip(labels, ranks)]
    mask = torch.stack(masks)
    indices = (chosen & mask.flatten(1).any(1)).nonzero().flatten()
    if strength == 0 or len(indices) == 0:
        return images, labels
    inward = _inward(mask[indices].float(), spacing or [1.0] * dims)
    shift = offsets[indices].reshape(-1, *[1] * (dims + 1)) * inward
    sizes = torch.tensor(images.shape[2:], device=images.device)
    identity = torch.eye(dims, dims + 1, device=images.device).expand(len(indices), -1, -1)
    grid = F.affine_grid(identity, [len(indices), 1, *images.shape[2:]], align_corners=True)
    grid = grid + (shift.movedim(1, -1) * 2 / (sizes - 1).clamp_min(1)).flip(-1)
    grown = deform(images[indices], labels[indices], values, grid)
    return images.index_put((indices,), grown[0]), labels.index_put((indices,), grown[1])


def _random_class(label: torch.Tensor, classes: int, rank: float) -> torch.Tensor:
    """Return the mask (1, *s) of a random class of a label (1, *s); empty without any."""
    present = label.unique()
    present = present[(present > 0) & (present < classes)]
    if len(present) == 0:
        return torch.zeros_like(label, dtype=torch.bool)
    return label == present[min(int(rank * len(present)), len(present) - 1)]


def _inward(masks: torch.Tensor, spacing: Sequence[float]) -> torch.Tensor:
    """Return vectors (batch, axis, *s) in voxels into masks (batch, 1, *s), 1 mm at their border.

    They are 0 along thick axes.
    """
    flat = thick_axes(tuple(spacing), len(spacing), masks.device).tolist()
    sigmas = [0.0 if f else _SMOOTHING * min(spacing) / mm for f, mm in zip(flat, spacing)]
    smooth = gaussian_blur(masks, sigmas)[:, 0]
    gradient = torch.zeros_like(smooth)[:, None].repeat_interleave(len(spacing), 1)  # per mm
    for axis, (is_thick, mm) in enumerate(zip(flat, spacing)):
        if not is_thick and smooth.shape[axis + 1] > 1:  # an image of one slice has no depth
            gradient[:, axis] = torch.gradient(smooth, dim=axis + 1)[0] / mm
    length = gradient.norm(dim=1, keepdim=True)
    largest = length.amax(dim=tuple(range(1, length.ndim)), keepdim=True).clamp_min(1e-6)
    size = gradient.new_tensor(spacing).reshape(1, -1, *[1] * (smooth.ndim - 1))
    return gradient / largest / size
