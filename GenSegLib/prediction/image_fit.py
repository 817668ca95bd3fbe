"""Tells whether an image is of the kind that a model was trained on.

Light: numpy alone, so that the panel can warn before a model is applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..models.folder import ModelMetadata

if TYPE_CHECKING:
    from ..images.image_io import Volume

_COARSER_OR_FINER = 4.0
_LEAST_VIEW = 0.5
_AIR_HU = -500.0
_HU_SPAN = 100.0
_MOST_HU = 32767.0


def find_misfits(image: Volume, metadata: ModelMetadata) -> list[str]:
    """Give a line for each reason to doubt what the model will make of an image; none is fatal."""
    low, high = float(image.array.min()), float(image.array.max())
    return misfits_of(metadata, low, high, image.shape, image.spacing)


def misfits_of(
    metadata: ModelMetadata,
    low: float,
    high: float,
    shape: Sequence[int],
    spacing: Sequence[float],
) -> list[str]:
    """Give what `find_misfits` gives, from what is known of an image without its voxels.

    Args:
        metadata: of the model.
        low: the smallest value in the image.
        high: the largest value in the image.
        shape: voxels along each axis, in any order of the axes.
        spacing: size of a voxel along each axis in mm, in the same order.
    """
    if low == high:
        return [f"all voxels are {low:g}: there is nothing to segment"]
    grid = _spacing_doubt(metadata, spacing) or _view_doubt(metadata, shape, spacing)
    return [
        doubt for doubt in (_modality_doubt(metadata.preset.modality, low, high), grid) if doubt
    ]


def _modality_doubt(modality: str, low: float, high: float) -> str:
    values = f"its values run from {low:g} to {high:g}"
    if modality == "CT" and high > _MOST_HU:
        return f"the model is for CT in Hounsfield units, but {values}; did 16-bit values overflow?"
    if modality == "CT" and (low >= 0 or high - low < _HU_SPAN):
        return f"the model is for CT in Hounsfield units, but {values}; is it a CT, and rescaled?"
    if modality == "MR" and low < _AIR_HU:
        return f"the model is for MR, but {values}, as in a CT; take a model for CT"
    return ""


def _spacing_doubt(metadata: ModelMetadata, spacing: Sequence[float]) -> str:
    wanted = metadata.spacing or metadata.preset.spacing
    if wanted is None:
        return ""
    ratio = np.sort(spacing) / np.sort(wanted)
    if (ratio < _COARSER_OR_FINER).all() and (ratio > 1 / _COARSER_OR_FINER).all():
        return ""
    own, model = _millimeters(spacing), _millimeters(wanted)
    return f"voxels of {own} are far from the model's {model}; is the spacing right?"


def _view_doubt(metadata: ModelMetadata, shape: Sequence[int], spacing: Sequence[float]) -> str:
    """Doubt an image that shows far less than the model looks at in one patch."""
    step = metadata.preset.spacing or metadata.spacing
    if step is None:
        return ""
    shown, needed = np.multiply(shape, spacing), np.multiply(metadata.preset.patch_size, step)
    if (np.sort(shown) >= _LEAST_VIEW * np.sort(needed)).all():
        return ""
    return (
        f"the image shows {_millimeters(shown)} and the model looks at {_millimeters(needed)} at "
        "once; is the whole structure in it?"
    )


def _millimeters(lengths: Sequence[float] | np.ndarray) -> str:
    return " x ".join(f"{length:.3g}" for length in lengths) + " mm"
