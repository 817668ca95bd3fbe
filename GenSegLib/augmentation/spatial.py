"""Affine and elastic deformation of a whole batch in one resampling.

One coarse displacement grid per sample is added to one affine grid, and image and one-hot label are
resampled together, in about a tenth of the time of per-sample elastic transforms.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from .interpolation import sample_with_midpoints, smooth_noise
from .random_generator import RandomGenerator


@dataclass(frozen=True)
class SpatialStrength:
    """How strongly a batch is deformed.

    Attributes:
        rotation: standard deviation of the rotation about each axis, in radians.
        scale: standard deviation of the log zoom that all axes share; each axis has another zoom of
            half this strength.
        translation: standard deviation as a fraction of the field of view.
        elastic: standard deviation of the control points' displacement as a fraction of the field
            of view.
        control_points: control points of the displacement along each axis.
        mirror_axes: spatial axes along which half of the affinely transformed samples are mirrored.
        probability: fraction of samples with an affine transform; all are deformed elastically.
    """

    rotation: float = 0.22
    scale: float = 0.18
    translation: float = 0.045
    elastic: float = 0.052
    control_points: int = 6
    mirror_axes: tuple[int, ...] = ()
    probability: float = 0.9

    def scaled(self, factor: float) -> SpatialStrength:
        """Return ``factor`` times as strong deformations; the probability of mirroring stays."""
        lengths = ("rotation", "scale", "translation", "elastic")
        return replace(self, **{name: getattr(self, name) * factor for name in lengths})


NO_DEFORMATION = SpatialStrength(probability=0.0, elastic=0.0)


def identity_grid(shape: tuple[int, ...], device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the identity sampling grid (1, *shape, dims), with aligned corners."""
    axes = [torch.linspace(-1, 1, size, device=device) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)[None]


def random_affine(
    rng: RandomGenerator, batch: int, shape: tuple[int, ...], strength: SpatialStrength
) -> torch.Tensor:
    """Return affine maps (batch, dims, dims + 1) of the grid; rotations are rigid in voxels."""
    dims = len(shape)
    angles = torch.triu(rng.normal(batch, dims, dims), diagonal=1) * strength.rotation
    rotation = torch.matrix_exp(angles - angles.transpose(1, 2))
    zoom = torch.exp(rng.normal(batch, 1) * strength.scale)
    zoom = zoom * torch.exp(rng.normal(batch, dims) * strength.scale / 2)
    for axis in strength.mirror_axes:
        sign = torch.ones_like(zoom)
        sign[:, axis] = 1 - 2 * rng.bernoulli(batch, 0.5, 0).squeeze(1)
        zoom = zoom * sign
    linear = rotation * zoom[:, None, :]
    extent = torch.tensor(shape, dtype=torch.float32, device=linear.device) - 1
    linear = linear * extent[None, None, :] / extent[None, :, None]
    shift = rng.normal(batch, dims, 1) * 2 * strength.translation
    gate = rng.bernoulli(batch, strength.probability, 0).reshape(batch, 1, 1)
    eye = torch.eye(dims, device=linear.device)
    return torch.cat([eye + gate * (linear - eye), gate * shift], dim=2)


def random_grid(
    rng: RandomGenerator, batch: int, shape: tuple[int, ...], strength: SpatialStrength
) -> torch.Tensor:
    """Return sampling grids (batch, *shape, dims) of random affine and elastic deformations."""
    affine = random_affine(rng, batch, shape, strength).flip(1)
    affine = torch.cat([affine[:, :, :-1].flip(2), affine[:, :, -1:]], dim=2)
    grid = F.affine_grid(affine, [batch, 1, *shape], align_corners=True)
    displacement = smooth_noise(rng, batch, len(shape), shape, strength.control_points)
    size = 2 * strength.elastic * rng.uniform(batch, *[1] * (len(shape) + 1))
    return grid + (size * displacement).movedim(1, -1)


def deform(
    images: torch.Tensor, labels: torch.Tensor, classes: int, grid: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Resample images (batch, channel, *s) and integer labels (batch, 1, *s) together.

    Labels are interpolated class by class, which keeps outlines smooth.
    """
    masks = one_hot(labels, classes)
    warped = sample_with_midpoints(torch.cat([images, masks], dim=1), grid)
    channels = images.shape[1]
    return warped[:, :channels], argmax_channel(warped[:, channels:])


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return float masks (batch, classes, *s) of integer labels (batch, 1, *s)."""
    values = torch.arange(classes, device=labels.device)
    return (labels == values.reshape(1, -1, *[1] * (labels.ndim - 2))).float()


def argmax_channel(scores: torch.Tensor) -> torch.Tensor:
    """Return the class of the highest score: (batch, class, *s) to (batch, 1, *s).

    On a CPU ``argmax`` over a strided axis takes as long as the resampling itself.
    """
    best = scores[:, :1]
    label = torch.zeros_like(best, dtype=torch.long)
    for value in range(1, scores.shape[1]):
        score = scores[:, value : value + 1]
        label = torch.where(score > best, value, label)
        best = torch.maximum(score, best)
    return label
