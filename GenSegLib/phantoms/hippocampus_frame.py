"""Coordinates that follow a hippocampus, and its surface in them.

The mean center line and cross-sections follow measurements on 60 crops of the Medical Segmentation
Decathlon's Task04; everything varies between cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import rendering, shapes
from .shapes import Array

SPACING = (1.0, 1.0, 1.0)
GRID_SHAPE = (52, 68, 56)

# From the tail (0) to the head (1): center line and half axes of the cross-section in mm.
CENTER_X = (0.5, -1.1, -3.6, -4.7, -5.6, -5.8, -4.9, -3.0, -1.6, 0.3, 2.0)
CENTER_Z = (7.3, 5.5, 2.2, 0.1, -1.4, -2.8, -4.3, -5.4, -6.8, -8.4, -9.6)
HALF_WIDTH = (3.0, 5.6, 6.3, 6.5, 6.5, 6.6, 7.3, 8.4, 8.4, 7.2, 4.6)
HALF_HEIGHT = (2.7, 4.3, 4.0, 3.8, 3.8, 3.9, 4.4, 5.0, 5.2, 4.7, 3.0)


@dataclass(frozen=True)
class Frame:
    """Coordinates that follow the hippocampus; arrays over the grid, in mm.

    Attributes:
        along: 0 at the tip of the tail, 1 at the tip of the head.
        across: medial direction.
        up: superior direction.
        half_width: half width of the cross-section.
        half_height: half height of the cross-section.
        length: from tail to head.
        distance: signed distance to the surface.
    """

    along: Array
    across: Array
    up: Array
    half_width: Array
    half_height: Array
    length: float
    distance: Array

    def cropped(self, box: tuple[slice, ...]) -> Frame:
        """Return the coordinates within a box of voxels."""
        return Frame(
            along=self.along[box],
            across=self.across[box],
            up=self.up[box],
            half_width=self.half_width[box],
            half_height=self.half_height[box],
            length=self.length,
            distance=self.distance[box],
        )


def random_frame(rng: np.random.Generator) -> Frame:
    """Return the coordinates of a random case over a grid of `GRID_SHAPE`."""
    x, y, z = rendering.grid(GRID_SHAPE, SPACING)
    x, y, z = (
        axis + 0.9 * rendering.smooth_field(rng, GRID_SHAPE, SPACING, 14.0) for axis in (x, y, z)
    )
    x, y = shapes.rotate(x, y, rng.normal(0, 0.07))
    y, z = shapes.rotate(y, z, rng.normal(0, 0.10))
    x, z = shapes.rotate(x, z, rng.normal(0, 0.09))
    length = float(np.clip(rng.normal(38.5, 3.0), 32, 46))
    along = y / length + 0.5
    size = rng.normal(1.0, 0.06)
    profile = _Profile(rng, np.clip(along, 0, 1))
    across, up = x - profile(CENTER_X, shift=0.9), z - profile(CENTER_Z, shift=0.9)
    half_width = profile(HALF_WIDTH, stretch=0.07) * size
    half_height = profile(HALF_HEIGHT, stretch=0.08) * size
    across, up = shapes.rotate(across, up, rng.normal(0.0, 0.12) + 0.25 * (along - 0.5))
    frame = Frame(along, across, up, half_width, half_height, length, along)
    return Frame(along, across, up, half_width, half_height, length, _surface(rng, frame))


class _Profile:
    """Curves along the center line, each with a smooth random deviation."""

    def __init__(self, rng: np.random.Generator, along: Array) -> None:
        self.rng = rng
        self.along = along

    def __call__(self, knots: tuple[float, ...], shift: float = 0.0, stretch: float = 0.0) -> Array:
        values = np.array(knots)
        positions = np.linspace(0, 1, len(values))
        deviation = np.interp(positions, np.linspace(0, 1, 4), self.rng.standard_normal(4))
        values = values * np.exp(stretch * deviation) + shift * deviation
        fine = np.linspace(0, 1, 101)
        smooth = np.convolve(
            np.pad(np.interp(fine, positions, values), 5, mode="edge"), np.ones(11) / 11, "valid"
        )
        return np.interp(self.along, fine, smooth).astype(np.float32)


def _surface(rng: np.random.Generator, frame: Frame) -> Array:
    """Signed distance to a tube with rounded ends, a bulging uncus and an upturned tail."""
    half_width, half_height, length = frame.half_width, frame.half_height, frame.length
    # A comma rather than an ellipse: the medial side, the subiculum, thins out and hangs down.
    side = np.clip(frame.across / half_width, -1.2, 1.4)
    body = shapes.ellipsoid(
        (frame.across, frame.up + (0.25 * side + 0.35 * side**2 - 0.1) * half_height * 0.6),
        (half_width, half_height * (1 - 0.22 * side)),
    )
    beyond = (np.abs(frame.along - 0.5) - 0.5) * length + 1.2
    tube = shapes.extrude(body, beyond)
    uncus = shapes.ellipsoid(
        (
            frame.across - rng.normal(6.2, 0.8),
            (frame.along - rng.normal(0.79, 0.03)) * length,
            frame.up - rng.normal(2.8, 0.7),
        ),
        (rng.uniform(2.6, 3.8), rng.uniform(3.5, 5.5), rng.uniform(2.6, 3.8)),
    )
    tail = shapes.ellipsoid(
        (
            frame.across - rng.normal(2.2, 0.8),
            (frame.along - rng.normal(0.06, 0.02)) * length,
            frame.up - rng.normal(1.5, 0.6),
        ),
        (rng.uniform(2.8, 4.0), rng.uniform(2.5, 3.5), rng.uniform(2.8, 4.0)),
    )
    lumps = rendering.smooth_field(rng, GRID_SHAPE, SPACING, 5.0)  # digitations and grooves
    return shapes.union(shapes.union(tube, uncus, 2.0), tail, 2.0) + 0.5 * lumps
