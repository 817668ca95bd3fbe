"""Grids for property tests: every orientation, oblique directions, anisotropic spacings."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

# No deadline for examples: the machine may be busy.
settings.register_profile("genseg", deadline=None)
settings.load_profile("genseg")

ORIENTATIONS = tuple(
    "".join(pair[side] for pair, side in zip(order, sides))
    for order in permutations(("RL", "AP", "SI"))
    for sides in product((0, 1), repeat=3)
)
_DIRECTIONS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}


def make_affine(
    orientation: str,
    spacing: tuple[float, ...] = (1, 1, 1),
    angles: tuple[float, ...] = (0, 0, 0),
    origin: tuple[float, ...] = (0, 0, 0),
) -> np.ndarray:
    """Affine of a grid with axes in the given orientation, rotated by `angles` in degrees."""
    directions = np.zeros((3, 3))
    for axis, code in enumerate(orientation):
        world, sign = _DIRECTIONS[code]
        directions[world, axis] = sign
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ directions
    affine[:3, :3] *= spacing
    affine[:3, 3] = origin
    return affine


def world_of(affine: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The RAS position of each voxel, (3, x, y, z)."""
    index = np.indices(size).reshape(3, -1)
    return (affine[:3, :3] @ index + affine[:3, 3:]).reshape(3, *size)


def ball(affine: np.ndarray, size: tuple[int, ...], share: float = 0.3) -> np.ndarray:
    """Label (x, y, z) of a ball at the center of the grid; its halves have the values 1 and 2."""
    extent = np.linalg.norm(affine[:3, :3], axis=0) * size
    center = affine[:3, :3] @ ((np.array(size) - 1) / 2) + affine[:3, 3]
    offset = world_of(affine, size) - center.reshape(3, 1, 1, 1)
    inside = np.linalg.norm(offset, axis=0) <= share * extent.max()
    return np.where(inside, np.where(offset[2] > 0, 2, 1), 0).astype(np.int16)


orientations = st.sampled_from(ORIENTATIONS)
spacings = st.tuples(*[st.floats(0.4, 5.0)] * 3)
angles = st.tuples(*[st.floats(-40, 40)] * 3)
sizes = st.tuples(*[st.integers(2, 20)] * 3)
affines = st.builds(
    make_affine, orientations, spacings, angles, st.tuples(*[st.floats(-300, 300)] * 3)
)
