"""Surface distances of masks with ignored voxels, of which nobody knows the class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

Array = NDArray[Any]


def surface_scores(
    first: Array, second: Array, known: Array, spacing: Sequence[float], tolerance_mm: float
) -> tuple[float, float]:
    """Return HD95 in mm and surface Dice; NaN if a mask has no known surface.

    Surface voxels are those with a face neighbor that is known and not in the mask: the border of
    the ignored region is no surface, so that slices annotated one by one are compared by their
    contours. Surfaces within the ignored region are not known, hence a distance is at most too
    large.

    Args:
        first: mask of known voxels.
        second: mask of known voxels.
        known: voxels that are not ignored.
        spacing: in mm.
        tolerance_mm: distance below which surfaces agree.
    """
    surfaces = [mask & ~binary_erosion(mask | ~known) for mask in (first, second)]
    if not all(surface.any() for surface in surfaces):
        return math.nan, math.nan
    distances = [
        distance_transform_edt(~there, sampling=spacing)[here]
        for here, there in (surfaces, surfaces[::-1])
    ]
    hd95 = max(float(np.percentile(each, 95)) for each in distances)
    agreeing = sum(int(np.count_nonzero(each <= tolerance_mm)) for each in distances)
    return hd95, agreeing / sum(map(len, distances))
