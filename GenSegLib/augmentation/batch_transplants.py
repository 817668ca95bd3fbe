"""Lesions of other samples of a batch, transplanted with their surroundings.

Copy-paste augmentation (Ghiasi et al., CVPR 2021) with soft borders and matched colors. It needs no
network and hardly any time, so that every batch has new pairs; pairs of `transplants` are for
generators.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch.nn.functional import avg_pool1d, max_pool1d

from .random_generator import RandomGenerator

_MARGIN = 0.05  # of surroundings, relative to the shortest side of the patch
_REACH = 0.25  # of the way to another place, relative to the patch
_MIN_MATCH = 0.7  # of the means of the surroundings
_ADDED = 0.8  # of the changed samples get lesions; in the others, lesions are covered


def transplant_lesions(
    images: torch.Tensor,
    labels: torch.Tensor,
    classes: int,
    fraction: float,
    rng: RandomGenerator,
    spacing: Sequence[float] | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Replace parts of some samples by those of another one, from another place.

    In most of them these are the other one's lesions, which are added; in the rest it is what
    covers the sample's own lesions there, so that not every border is one of a lesion. Surroundings
    come along, fade out over a margin, and get the mean of what they replace, channel by channel.

    Args:
        images: (batch, channel, *s).
        labels: (batch, 1, *s), integer.
        classes: number of classes, background included; larger values are not lesions.
        fraction: of the samples, on average.
        rng: random generator.
        spacing: voxel size in mm; None if all axes have the same.

    Returns:
        Images and labels of the same shapes.
    """
    count, dims = len(images), images.ndim - 2
    if count < 2:
        return images, labels
    donors = (torch.arange(count) + 1 + rng.integers(count - 1, 1)[0]) % count
    donors = donors.to(images.device)
    image, label, inside = _moved(images[donors], labels[donors], rng)
    adds = rng.bernoulli(count, _ADDED, dims) > 0
    source = torch.where(adds, label, labels)
    region = (source > 0) & (source < classes) & inside
    weight = _softened(region.to(images.dtype), spacing) * inside
    around = ((weight > 0) & ~region).to(images.dtype)
    match = rng.uniform(count, *[1] * (dims + 1), low=_MIN_MATCH, high=1.0)
    image = image + match * (_mean(images, around) - _mean(image, around))
    weight = weight * rng.bernoulli(count, fraction, dims)
    return torch.lerp(images, image, weight), torch.where(weight > 0.5, label, labels)


def _moved(
    images: torch.Tensor, labels: torch.Tensor, rng: RandomGenerator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Move samples at random; also return which voxels show them (batch, 1, *s)."""
    inside = torch.ones_like(labels, dtype=torch.bool)
    for axis in range(2, images.ndim):
        size = images.shape[axis]
        way = (rng.uniform(len(images), low=-_REACH, high=_REACH) * size).round().long()
        origin = torch.arange(size, device=way.device) - way[:, None]
        origin = origin.reshape(-1, *[size if k == axis else 1 for k in range(1, images.ndim)])
        inside = inside & (origin >= 0) & (origin < size)
        origin = origin.clamp(0, size - 1)
        images = images.gather(axis, origin.expand_as(images))
        labels = labels.gather(axis, origin.expand_as(labels))
    return images, labels, inside


def _softened(mask: torch.Tensor, spacing: Sequence[float] | None) -> torch.Tensor:
    """Return weights (batch, 1, *s): 1 within a mask, falling to 0 over the margin around it."""
    shape = mask.shape[2:]
    sizes = spacing or [1.0] * len(shape)
    margin_mm = _MARGIN * min(count * size for count, size in zip(shape, sizes))
    reaches = [round(margin_mm / 2 / size) for size in sizes]
    average = partial(avg_pool1d, count_include_pad=False)
    return _filtered(_filtered(mask, reaches, max_pool1d), reaches, average)


def _filtered(
    mask: torch.Tensor, reaches: Sequence[int], pool: Callable[..., torch.Tensor]
) -> torch.Tensor:
    """Pool over boxes around each voxel, one axis after the other."""
    for axis, reach in enumerate(reaches, start=2):
        rows = mask.movedim(axis, -1)
        pooled = pool(rows.flatten(0, -2)[:, None], 2 * reach + 1, 1, reach)
        mask = pooled.reshape(rows.shape).movedim(-1, axis)
    return mask


def _mean(images: torch.Tensor, region: torch.Tensor) -> torch.Tensor:
    """Return the mean of each channel in a region (batch, 1, *s), 0 where it is empty."""
    axes = tuple(range(2, images.ndim))
    total = region.sum(axes, keepdim=True).clamp_min(1)
    return (images * region).sum(axes, keepdim=True) / total
