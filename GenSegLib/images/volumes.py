"""Volumes: voxels, and where they lie."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

SAME_PLACE = 0.05  # of a voxel
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # and back: it is its own inverse


@dataclass(frozen=True, eq=False)
class Volume:
    """Voxels (channel, x, y, z) and the affine (4, 4) from voxel indices to RAS millimeters."""

    array: np.ndarray
    affine: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """The voxels along x, y and z."""
        return self.array.shape[1:]

    @property
    def spacing(self) -> tuple[float, ...]:
        """The distance of neighboring voxels along x, y and z in mm."""
        return tuple(float(step) for step in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def orientation(self) -> str:
        """The anatomical directions nearest to x, y and z, such as "RAS"."""
        cosines = self.affine[:3, :3] / np.array(self.spacing)
        axes = max(
            itertools.permutations(range(3)),
            key=lambda order: sum(abs(cosines[axis, k]) for k, axis in enumerate(order)),
        )
        return "".join(("LR", "PA", "IS")[a][int(cosines[a, k] > 0)] for k, a in enumerate(axes))


def on_same_grid(one: Volume, other: Volume) -> bool:
    """Whether two volumes have equal sizes and lie within 5 % of a voxel of each other."""
    if one.shape != other.shape:
        return False
    apart = np.abs((one.affine - other.affine) @ np.insert(corners(one.shape), 3, 1, axis=1).T)
    return bool(apart.max() <= SAME_PLACE * min(one.spacing))


def corners(shape: tuple[int, ...]) -> np.ndarray:
    """Return the indices of the outermost voxels (corner, axis), the first and last opposite."""
    return np.array(list(itertools.product(*((0, size - 1) for size in shape))))
