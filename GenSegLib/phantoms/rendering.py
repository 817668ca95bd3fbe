"""Rendering of shapes as images: painting, smooth random fields, blur, bias field, noise."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import ndimage

from .shapes import Array


def grid(shape: Sequence[int], spacing: Sequence[float]) -> list[Array]:
    """Voxel centers in mm relative to the grid's center, one float32 array per axis."""
    axes = [
        (np.arange(count, dtype=np.float32) - (count - 1) / 2) * np.float32(step)
        for count, step in zip(shape, spacing)
    ]
    return list(np.meshgrid(*axes, indexing="ij"))


def smooth_field(
    rng: np.random.Generator, shape: Sequence[int], spacing: Sequence[float], scale: float
) -> Array:
    """Random float32 field that varies over `scale` mm; zero mean, standard deviation about 0.5."""
    knots = [max(2, round(count * step / scale) + 1) for count, step in zip(shape, spacing)]
    coarse = rng.standard_normal([count + 2 for count in knots]).astype(np.float32)
    first, second, third = (_spline(size, count) for size, count in zip(shape, knots))
    planes = (first @ coarse.reshape(len(coarse), -1)).reshape(-1, *coarse.shape[1:])
    return np.matmul(second, planes @ third.T) * np.float32(1.6)


@lru_cache(maxsize=256)
def _spline(size: int, knots: int) -> Array:
    """Weights (size, knots + 2) of a uniform cubic B-spline through `size` positions."""
    positions = np.linspace(1, knots, size)
    base = np.minimum(positions.astype(int), knots - 1)
    part = positions - base
    weights = (
        (1 - part) ** 3,
        3 * part**3 - 6 * part**2 + 4,
        3 * part * (1 + part - part**2) + 1,
        part**3,
    )
    matrix = np.zeros((size, knots + 2), np.float32)
    for shift, weight in enumerate(weights):
        matrix[np.arange(size), base + shift - 1] = weight / 6
    return matrix


def coverage(distance: Array, softness: float = 1.0) -> Array:
    """Fraction of each voxel inside a shape: a ramp of `softness` mm across its surface."""
    return np.clip(0.5 - distance / softness, 0, 1)


def paint(image: Array, fraction: Array, value: float | Array) -> None:
    """Blend `value` into each voxel by its partial volume `fraction` (0 to 1), in place."""
    image += fraction * (value - image)


def blur(image: Array, width_mm: float, spacing: Sequence[float]) -> Array:
    """Point spread of the scanner: a Gaussian of standard deviation `width_mm`."""
    return ndimage.gaussian_filter(image, [width_mm / step for step in spacing], mode="nearest")


def bias_field(
    rng: np.random.Generator, shape: Sequence[int], spacing: Sequence[float], strength: float
) -> Array:
    """Smooth positive gain around 1, as of a receive coil."""
    return np.exp(strength * smooth_field(rng, shape, spacing, 40.0))


def rician(rng: np.random.Generator, image: Array, sigma: float) -> Array:
    """Magnitude of the image with complex Gaussian noise of standard deviation `sigma`."""
    real, imaginary = rng.standard_normal((2, *image.shape), dtype=np.float32) * np.float32(sigma)
    return np.hypot(image + real, imaginary)
