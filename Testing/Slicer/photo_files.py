"""Photos with a bright square, in the scene and in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from PIL import Image

WIDTH, HEIGHT = 48, 32
PICTURE = np.diag([-1.0, -1.0, 1.0, 1.0])


def square(top: int = 4, left: int = 8, size: int = 10) -> np.ndarray:
    """Mask (1, HEIGHT, WIDTH) of a square."""
    mask = np.zeros((1, HEIGHT, WIDTH), bool)
    mask[0, top : top + size, left : left + size] = True
    return mask


def add_photo(mask: np.ndarray, grid: np.ndarray = PICTURE, name: str = "photo") -> Any:
    """A color volume that is bright in a mask; its channels differ."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
    gray = np.where(mask, 200, 20)
    colors = np.stack([gray, gray // 2, gray // 4], axis=-1).astype(np.uint8)
    slicer.util.updateVolumeFromArray(node, colors)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(grid))
    return node


def photo_folder(folder: Path, count: int = 3) -> Path:
    """Photos with masks; the first one was taken with the camera turned."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for k in range(count):
        mask = square(left=4 + 6 * k)[0]
        gray = np.where(mask, 200, 20 + k)
        photo = np.stack([gray, gray // 2, gray // 4], axis=-1).astype(np.uint8)
        exif = Image.Exif()
        stored = photo
        if k == 0:
            exif[0x0112], stored = 6, np.rot90(photo)  # to be turned clockwise
        Image.fromarray(stored).save(folder / "images" / f"p{k}.jpg", exif=exif, quality=95)
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(
            folder / "labels" / f"p{k}.png"
        )
    return folder
