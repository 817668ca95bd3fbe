"""Affine and elastic deformation of a whole batch in one resampling.

One coarse displacement grid a sample is laid over one affine grid, and image and one-hot label go
through ``grid_sample`` together: about a tenth of the time of per-sample elastic transforms
(``Testing/Benchmarks/augmentation_speed.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from .interpolation import sample_finely
from .knots import smooth_noise
from .randomness import Randomness
from .shapes import largest


@dataclass(frozen=True)
class SpatialStrength:
    """How far a batch is deformed.

    Attributes:
        rotation: standard deviation of the rotation about each axis, in radians.
        scale: standard deviation of the logarithm of the zoom, drawn once for all axes and,
            at half this strength, for each axis.
        translation: standard deviation as a share of the field of view.
        elastic: standard deviation of the knots' displacement as a share of the field of view.
        knots: knots of the displacement grid along each axis.
        mirror_axes: spatial axes that half of the samples with such changes are mirrored along.
        probability: the share of samples that are rotated, scaled and moved; all are bent.
    """

    rotation: float = 0.22
    scale: float = 0.18
    translation: float = 0.045
    elastic: float = 0.052
    knots: int = 6
    mirror_axes: tuple[int, ...] = ()
    probability: float = 0.9

    def scaled(self, factor: float) -> SpatialStrength:
        """Return deformations that go ``factor`` times as far; mirroring is as likely as before."""
        lengths = ("rotation", "scale", "translation", "elastic")
        return replace(self, **{name: getattr(self, name) * factor for name in lengths})


STILL = SpatialStrength(probability=0.0, elastic=0.0)


def identity_grid(shape: tuple[int, ...], device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the sampling grid (1, *shape, dims) that changes nothing (corners aligned)."""
    axes = [torch.linspace(-1, 1, size, device=device) for size in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)[None]


def random_affine(
    rng: Randomness, batch: int, shape: tuple[int, ...], strength: SpatialStrength
) -> torch.Tensor:
    """Return affine maps (batch, dims, dims + 1) of the grid; rotations are rigid in voxels."""
    dims = len(shape)
    angles = torch.triu(rng.normal(batch, dims, dims), diagonal=1) * strength.rotation
    rotation = torch.matrix_exp(angles - angles.transpose(1, 2))
    zoom = torch.exp(rng.normal(batch, 1) * strength.scale)
    zoom = zoom * torch.exp(rng.normal(batch, dims) * strength.scale / 2)
    for axis in strength.mirror_axes:
        sign = torch.ones_like(zoom)
        sign[:, axis] = 1 - 2 * rng.gate(batch, 0.5, 0).squeeze(1)
        zoom = zoom * sign
    linear = rotation * zoom[:, None, :]
    extent = torch.tensor(shape, dtype=torch.float32, device=linear.device) - 1
    linear = linear * extent[None, None, :] / extent[None, :, None]
    shift = rng.normal(batch, dims, 1) * 2 * strength.translation
    gate = rng.gate(batch, strength.probability, 0).reshape(batch, 1, 1)
    eye = torch.eye(dims, device=linear.device)
    return torch.cat([eye + gate * (linear - eye), gate * shift], dim=2)


def random_grid(
    rng: Randomness, batch: int, shape: tuple[int, ...], strength: SpatialStrength
) -> torch.Tensor:
    """Return sampling grids (batch, *shape, dims) of random affine and elastic deformations."""
    affine = random_affine(rng, batch, shape, strength).flip(1)
    affine = torch.cat([affine[:, :, :-1].flip(2), affine[:, :, -1:]], dim=2)
    grid = F.affine_grid(affine, [batch, 1, *shape], align_corners=True)
    displacement = smooth_noise(rng, batch, len(shape), shape, strength.knots)
    size = 2 * strength.elastic * rng.uniform(batch, *[1] * (len(shape) + 1))
    return grid + (size * displacement).movedim(1, -1)


def deform(
    images: torch.Tensor, labels: torch.Tensor, classes: int, grid: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Resample images (b, c, *s) and integer labels (b, 1, *s) together.

    Labels are interpolated one class at a time and the largest wins, which keeps outlines smooth;
    midpoints keep them from shrinking, and images from being blurred.
    """
    masks = one_hot(labels, classes)
    warped = sample_finely(torch.cat([images, masks], dim=1), grid)
    channels = images.shape[1]
    return warped[:, :channels], largest(warped[:, channels:])


def one_hot(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Return float masks (b, classes, *s) of integer labels (b, 1, *s)."""
    values = torch.arange(classes, device=labels.device)
    return (labels == values.reshape(1, -1, *[1] * (labels.ndim - 2))).float()
