"""Prediction files as written by the library."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from GenSegLib.datasets.image_io import Volume, read_image, write_label

NAMES = {1: "Anterior", 2: "Posterior"}


def save_prediction(path: Path, like: Path, label: np.ndarray) -> Path:
    """Write a label array in the grid of an image."""
    write_label(path, Volume(label.T[None], read_image(like).affine))
    return path
