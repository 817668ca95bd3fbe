"""Growth and atrophy of single classes: shapes that no labeled case has.

The border of a class moves outward or inward, and the image with it, by a displacement along the
gradient of the smoothed mask, which is largest at the border. So one organ becomes larger among
others that keep their size, as affine and elastic deformations never show it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .intensity import gaussian_blur
from .random_generator import RandomGenerator
from .spatial import deform

_PROBABILITY = 0.3  # of a sample
_SMOOTHING = 3.0  # voxels


def grow_classes(
    images: torch.Tensor,
    labels: torch.Tensor,
    classes: int,
    values: int,
    strength: float,
    rng: RandomGenerator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Let a random class of a part of the samples grow or shrink.

    Args:
        images: (batch, channel, *s).
        labels: (batch, 1, *s), integer.
        classes: number of classes, background included; larger labels do not grow.
        values: number of label values.
        strength: standard deviation of the displacement of borders in voxels.
        rng: random generator, which advances alike for any strength.
    """
    batch, dims = len(images), images.ndim - 2
    chosen = rng.bernoulli(batch, _PROBABILITY, 0).flatten() > 0
    ranks, offsets = rng.uniform(batch), strength * rng.normal(batch)
    masks = [_random_class(label, classes, float(rank)) for label, rank in zip(labels, ranks)]
    mask = torch.stack(masks)
    places = (chosen & mask.flatten(1).any(1)).nonzero().flatten()
    if strength == 0 or len(places) == 0:
        return images, labels
    shift = offsets[places].reshape(-1, *[1] * (dims + 1)) * _inward(mask[places].float())
    sizes = torch.tensor(images.shape[2:], device=images.device)
    identity = torch.eye(dims, dims + 1, device=images.device).expand(len(places), -1, -1)
    grid = F.affine_grid(identity, [len(places), 1, *images.shape[2:]], align_corners=True)
    grid = grid + (shift.movedim(1, -1) * 2 / (sizes - 1).clamp_min(1)).flip(-1)
    grown = deform(images[places], labels[places], values, grid)
    return images.index_put((places,), grown[0]), labels.index_put((places,), grown[1])


def _random_class(label: torch.Tensor, classes: int, rank: float) -> torch.Tensor:
    """Return the mask (1, *s) of a random class of a label (1, *s); empty without any."""
    present = label.unique()
    present = present[(present > 0) & (present < classes)]
    if len(present) == 0:
        return torch.zeros_like(label, dtype=torch.bool)
    return label == present[min(int(rank * len(present)), len(present) - 1)]


def _inward(masks: torch.Tensor) -> torch.Tensor:
    """Return vectors (batch, axis, *s) into masks (batch, 1, *s), about 1 voxel at their border."""
    smooth = gaussian_blur(masks, _SMOOTHING)[:, 0]
    axes = list(range(1, smooth.ndim))
    long = [axis for axis in axes if smooth.shape[axis] > 1]  # an image of one slice has no depth
    parts = dict(zip(long, torch.gradient(smooth, dim=long)))
    gradient = torch.stack([parts.get(axis, torch.zeros_like(smooth)) for axis in axes], 1)
    length = gradient.norm(dim=1, keepdim=True)
    largest = length.amax(dim=tuple(range(1, length.ndim)), keepdim=True).clamp_min(1e-6)
    return gradient / largest
