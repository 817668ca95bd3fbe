"""Pictures in PNG and the like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 12, 10


def gradient(channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    """Rows and columns (y, x, channel) of different values."""
    size = HEIGHT * WIDTH * channels
    return np.arange(size).reshape(HEIGHT, WIDTH, channels).astype(dtype)


def save(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    image = Image.fromarray(array[..., 0] if array.shape[2:] == (1,) else array)
    path.parent.mkdir(parents=True, exist_ok=True)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def square(low: int = 2, high: int = 6, value: int = 255) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[low:high, low:high] = value
    return mask
