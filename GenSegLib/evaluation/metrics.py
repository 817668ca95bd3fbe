"""How well a prediction matches its reference, label by label, through MONAI's metrics."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.meandice import compute_dice
from monai.metrics.surface_dice import compute_surface_dice
from numpy.typing import NDArray

Array = NDArray[Any]

TOLERANCE_MM = 1.0
_MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class LabelScore:
    """The scores of one label in one case.

    `dice` and `surface_dice` (at 1 mm) run from 0 to 1, `hd95_mm` is the larger of the two 95th
    percentiles of the surface distances, `volume_error_ml` is prediction less reference.

    A label that is neither in the prediction nor in the reference has nothing to score: the
    first three are NaN, and means leave them out. A label that is only in one of them scores
    Dice 0 and as HD95 the image's diagonal, the largest distance there is, so that a missed
    structure weighs on the mean instead of dropping out of it.
    """

    label: int
    dice: float
    hd95_mm: float
    surface_dice: float
    volume_error_ml: float


def case_scores(
    prediction: Array, reference: Array, labels: Iterable[int], spacing: Sequence[float]
) -> list[LabelScore]:
    """Score each label of a case.

    Dice and HD95 as in Taha and Hanbury, BMC Med Imaging 2015, doi:10.1186/s12880-015-0068-x;
    surface Dice as in Nikolov et al., J Med Internet Res 2021, doi:10.2196/26151, with the
    surface's length counted in voxels of the surface.

    Args:
        prediction: label volume (x, y, z) of whole numbers.
        reference: the same, on the same grid.
        labels: values to score, in the order of the result.
        spacing: of the grid, in mm.

    Raises:
        ValueError: the two differ in size.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"sizes differ: {prediction.shape} and {reference.shape}")
    return [
        _label_score(label, prediction == label, reference == label, spacing) for label in labels
    ]


def _label_score(
    label: int, prediction: Array, reference: Array, spacing: Sequence[float]
) -> LabelScore:
    surplus = int(np.count_nonzero(prediction)) - int(np.count_nonzero(reference))
    volume_error = surplus * math.prod(spacing) / _MM3_PER_ML
    if not prediction.any() and not reference.any():
        return LabelScore(label, math.nan, math.nan, math.nan, volume_error)
    if not prediction.any() or not reference.any():
        diagonal = math.hypot(*np.multiply(prediction.shape, spacing))
        return LabelScore(label, 0.0, diagonal, 0.0, volume_error)
    box = _box(prediction | reference)
    pair = _as_batch(prediction[box]), _as_batch(reference[box])
    steps = [float(step) for step in spacing]
    with warnings.catch_warnings():
        # MONAI warns of an argument that it passes to itself.
        warnings.filterwarnings("ignore", "(?s).*always_return_as_numpy")
        hd95 = compute_hausdorff_distance(*pair, True, percentile=95, spacing=steps)
        surface = compute_surface_dice(*pair, [TOLERANCE_MM], True, spacing=steps)
    dice = compute_dice(*pair)
    return LabelScore(label, float(dice), float(hd95), float(surface), volume_error)


def _box(mask: Array) -> tuple[slice, ...]:
    """Give the box of a mask that is not empty, on which alone the scores depend."""
    inside = (
        np.flatnonzero(mask.any(axis=tuple(set(range(mask.ndim)) - {axis})))
        for axis in range(mask.ndim)
    )
    return tuple(slice(int(index[0]), int(index[-1]) + 1) for index in inside)


def _as_batch(mask: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))[None, None]
