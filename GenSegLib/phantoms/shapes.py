"""Signed distances (mm, negative inside) of simple shapes, and their smooth unions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import numpy as np

Array = np.ndarray
Radius = Union[float, Array]


def ellipsoid(offsets: Sequence[Array], radii: Sequence[Radius]) -> Array:
    """Signed distance to an ellipsoid (two axes: an elliptic tube), to first order.

    `offsets` are the coordinates relative to its center in mm, one array per axis. Radii may vary
    over the grid, which tapers the shape.
    """
    pairs = list(zip(offsets, radii))
    norm = np.sqrt(sum((offset / radius) ** 2 for offset, radius in pairs))
    slope = np.sqrt(sum((offset / radius**2) ** 2 for offset, radius in pairs) + 1e-6)
    return norm * (norm - 1) / slope


def capsule(offsets: Sequence[Array], end: Sequence[Radius], radius: Radius) -> Array:
    """Signed distance to a capsule from the origin to `end` (mm)."""
    length = sum(component**2 for component in end)
    along = sum(offset * component for offset, component in zip(offsets, end))
    fraction = np.clip(along / length, 0, 1)
    squares = ((offset - fraction * component) ** 2 for offset, component in zip(offsets, end))
    return np.sqrt(sum(squares)) - radius


def extrude(profile: Array, beyond: Array) -> Array:
    """Close a tube at its ends; `beyond` is the signed distance past the nearer end in mm."""
    outside = np.hypot(np.maximum(profile, 0), np.maximum(beyond, 0))
    return outside + np.minimum(np.maximum(profile, beyond), 0)


def union(first: Array, second: Array, rounding: float) -> Array:
    """Smooth union of two shapes, rounded over about `rounding` mm."""
    blend = np.clip(0.5 + 0.5 * (second - first) / rounding, 0, 1)
    return second + (first - second) * blend - rounding * blend * (1 - blend)


def rotate(first: Array, second: Array, angle: Radius) -> tuple[Array, Array]:
    """Rotate two coordinates about the origin by `angle` in radians."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * first + sine * second, cosine * second - sine * first
