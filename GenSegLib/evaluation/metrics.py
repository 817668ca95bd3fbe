"""Segmentation metrics per label, computed by MONAI."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.metrics.hausdorff_distance import compute_hausdorff_distance
from monai.metrics.meandice import compute_dice
from monai.metrics.surface_dice import compute_surface_dice
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt

from ..images.geometry import bounding_box
from ..images.label_regions import mask_of
from ..label_maps import IGNORE
from .score_tables import LabelScore

Array = NDArray[Any]

TOLERANCE_MM = 1.0
_MM3_PER_ML = 1000.0  # sizes of 2-D images are areas


def case_scores(
    prediction: Array,
    reference: Array,
    labels: Iterable[int],
    spacing: Sequence[float],
    regions: Mapping[int, Collection[int]] | None = None,
    hidden: Collection[int] = (),
) -> list[LabelScore]:
    """Compute the scores of each label of a case.

    Dice and HD95 as in Taha and Hanbury, BMC Med Imaging 2015, doi:10.1186/s12880-015-0068-x;
    surface Dice as in Nikolov et al., J Med Internet Res 2021, doi:10.2196/26151, with surface
    voxels in place of surface areas. Ignored voxels of the reference do not count, see
    `surface_scores` for their surfaces.

    Args:
        prediction: (x, y, z) label values.
        reference: (x, y, z) label values on the same grid, and `IGNORE`.
        labels: values to score, in the order of the result.
        spacing: of the grid in mm, or pixels.
        regions: values that count for a label, such as those of classes within it; its own by
            default.
        hidden: labels that nobody annotated in the reference; all their scores are NaN.

    Raises:
        ValueError: the shapes differ.
    """
    if prediction.shape != reference.shape:
        raise ValueError(f"shapes differ: {prediction.shape} and {reference.shape}")
    if prediction.shape.count(1) == 1:  # an image: its single slice has no surface
        spacing = [step for step, size in zip(spacing, prediction.shape) if size > 1]
        prediction, reference = prediction.squeeze(), reference.squeeze()
    known = reference != IGNORE
    known = None if known.all() else known
    scores = []
    for label in labels:
        if label in hidden:
            scores.append(LabelScore(label, *(math.nan,) * 4))
            continue
        values = (regions or {}).get(label, (label,))
        masks = [mask_of(array, values) for array in (prediction, reference)]
        if known is not None:
            masks[0] &= known
        scores.append(_label_score(label, masks[0], masks[1], spacing, known))
    return scores


def _label_score(
    label: int,
    prediction: Array,
    reference: Array,
    spacing: Sequence[float],
    known: Array | None,
) -> LabelScore:
    excess = int(np.count_nonzero(prediction)) - int(np.count_nonzero(reference))
    volume_error = excess * math.prod(spacing) / (_MM3_PER_ML if len(spacing) == 3 else 1)
    if not prediction.any() and not reference.any():
        return LabelScore(label, math.nan, math.nan, math.nan, volume_error)
    if not prediction.any() or not reference.any():
        diagonal = math.hypot(*np.multiply(prediction.shape, spacing))
        return LabelScore(label, 0.0, diagonal, 0.0, volume_error)
    box = bounding_box(prediction | reference)  # the scores do not depend on the rest
    pair = _as_batch(prediction[box]), _as_batch(reference[box])
    dice = float(compute_dice(*pair))
    steps = [float(step) for step in spacing]
    if known is not None:
        around = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in box)
        masks = prediction[around], reference[around]
        hd95_mm, surface_dice = surface_scores(*masks, known[around], steps, TOLERANCE_MM)
        return LabelScore(label, dice, hd95_mm, surface_dice, volume_error)
    with warnings.catch_warnings():
        # MONAI warns about a deprecated argument that it passes itself
        warnings.filterwarnings("ignore", "(?s).*always_return_as_numpy")
        hd95 = compute_hausdorff_distance(*pair, True, percentile=95, spacing=steps)
        surface = compute_surface_dice(*pair, [TOLERANCE_MM], True, spacing=steps)
    return LabelScore(label, dice, float(hd95), float(surface), volume_error)


def surface_scores(
    first: Array, second: Array, known: Array, spacing: Sequence[float], tolerance_mm: float
) -> tuple[float, float]:
    """Return HD95 in mm and surface Dice of masks of which not all voxels are known.

    Both are NaN if a mask has no known surface.

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


def _as_batch(mask: Array) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask, dtype=np.float32))[None, None]
