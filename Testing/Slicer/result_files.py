"""Results as the library writes them, for the tests of the panel's reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from GenSegLib.images.image_io import Volume, read_image, write_label

NAMES = {1: "Anterior", 2: "Posterior"}


def save_prediction(path: Path, like: Path, label: np.ndarray) -> Path:
    """What the library writes as its result for an image: label values in the image's own grid."""
    write_label(path, Volume(label.T[None], read_image(like).affine))
    return path
