"""Draw real and generated pairs of a run, for the documentation.

    python Testing/Benchmarks/pairs_picture.py RUN [--out Docs/images/generated_pairs.png]

The upper row shows real cases, the lower one generated ones: the slice with most foreground, and
the same slice with the outlines of its labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import SimpleITK
from measuring import ROOT
from scipy.ndimage import binary_erosion, zoom

from GenSegLib.data.image_io import read_image, read_label

COLORS = {1: (230, 120, 70), 2: (80, 160, 220)}
PIXELS, GAP = 4, 6


def tile(folder: Path, name: str) -> np.ndarray:
    """Return one pair as RGB, the plain slice left of the outlined one."""
    image = read_image(folder / f"{name}_image.nii.gz").array[0]
    label = read_label(folder / f"{name}_label.nii.gz").array[0]
    at = int((label > 0).sum(axis=(1, 2)).argmax())
    low, high = np.percentile(image, (1, 99.5))
    gray = np.clip((image[at] - low) / (high - low), 0, 1)
    plain = np.repeat((zoom(gray, PIXELS, order=1) * 255)[..., None], 3, axis=2)
    outlined = plain.copy()
    classes = np.kron(label[at], np.ones((PIXELS, PIXELS), np.int16))
    for value, color in COLORS.items():
        mask = classes == value
        outlined[mask & ~binary_erosion(mask, iterations=1)] = color
    upright = [np.flip(part.transpose(1, 0, 2), axis=0) for part in (plain, outlined)]
    return np.concatenate(upright, axis=1).clip(0, 255).astype(np.uint8)


def row(folder: Path, kind: str, height: int, width: int) -> np.ndarray:
    parts = []
    for place in range(3):
        found = tile(folder, f"{kind}_{place}")[:height, :width]
        frame = np.full((height + GAP, width + GAP, 3), 255, np.uint8)
        frame[: found.shape[0], : found.shape[1]] = found
        parts.append(frame)
    return np.concatenate(parts, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=ROOT / "Docs/images/generated_pairs.png")
    args = parser.parse_args()
    folder = max(args.run.glob("previews/*"))
    rows = [row(folder, kind, 40 * PIXELS, 112 * PIXELS) for kind in ("real", "generated")]
    picture = SimpleITK.GetImageFromArray(np.concatenate(rows), isVector=True)
    SimpleITK.WriteImage(picture, str(args.out))


if __name__ == "__main__":
    main()
