"""A model with known predictions, and volumes for it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from mrml_nodes import SHAPE, add_volume

from GenSegLib.models.folder import ModelMetadata, write_model_files

MODELS = Path(__file__).resolve().parents[1] / "Models"
MODEL = MODELS / "format-4"
GRAY_2D, COLOR_2D = MODELS / "bright-2d", MODELS / "bright-2d-color"
"""Models of 2-D images that label pixels clearly brighter (in the first channel) than the mean."""


def make_bright_model(folder: Path, mirror_axes: tuple[int, ...] = ()) -> Path:
    """Save a model that labels voxels that are clearly brighter than the mean of the image."""
    shutil.copytree(MODEL, folder)
    metadata = ModelMetadata.load(folder)
    changes = {"spacing": None, "colors": {1: (250, 120, 40)}, "mirror_axes": mirror_axes}
    preset = replace(metadata.preset, **changes)
    write_model_files(folder, replace(metadata, preset=preset, spacing=None, volumes={}))
    return folder


def bright_block(name: str, grid: np.ndarray) -> tuple[Any, np.ndarray]:
    """Add a volume with a bright block. Returns the node and the block's mask."""
    bright = np.zeros(SHAPE[::-1], bool)
    bright[2:6, 3:8, 4:9] = True
    return add_volume(np.where(bright, 900, 10).astype(np.int16), grid, name), bright
