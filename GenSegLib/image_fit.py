"""Tells whether an image is of the kind that a model was trained on."""

from __future__ import annotations

import numpy as np

from .image_io import Volume
from .model_folder import ModelMetadata

_COARSER_OR_FINER = 4.0
_AIR_HU = -500.0
_HU_SPAN = 100.0


def find_misfits(image: Volume, metadata: ModelMetadata) -> list[str]:
    """Give a line for each reason to doubt what the model will make of an image; none is fatal."""
    low, high = float(image.array.min()), float(image.array.max())
    if low == high:
        return [f"all voxels are {low:g}: there is nothing to segment"]
    doubts = [_modality_doubt(metadata.preset.modality, low, high), _spacing_doubt(image, metadata)]
    return [doubt for doubt in doubts if doubt]


def _modality_doubt(modality: str, low: float, high: float) -> str:
    values = f"its values run from {low:g} to {high:g}"
    if modality == "CT" and (low >= 0 or high - low < _HU_SPAN):
        return f"the model is for CT in Hounsfield units, but {values}; is it a CT, and rescaled?"
    if modality == "MR" and low < _AIR_HU:
        return f"the model is for MR, but {values}, as in a CT; take a model for CT"
    return ""


def _spacing_doubt(image: Volume, metadata: ModelMetadata) -> str:
    wanted = metadata.spacing or metadata.preset.spacing
    if wanted is None:
        return ""
    ratio = np.sort(image.spacing) / np.sort(wanted)
    if (ratio < _COARSER_OR_FINER).all() and (ratio > 1 / _COARSER_OR_FINER).all():
        return ""
    own, model = (" x ".join(f"{step:.3g}" for step in steps) for steps in (image.spacing, wanted))
    return f"voxels of {own} mm are far from the model's {model} mm; is the spacing right?"
