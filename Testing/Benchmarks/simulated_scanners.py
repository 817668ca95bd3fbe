"""Test scans as other scanners might show them: a fixed recipe for MR, the same for every model.

The geometry stays, so that the labels of the scans hold.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK
from cohorts_data import CohortCase
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.ndimage import gaussian_filter, uniform_filter1d, zoom

Image = NDArray[np.float32]

_TISSUES = 4
_T2 = (1.0, 0.6, 0.45, 0.3)  # fluid, gray and white matter; tissues that are darkest in T1 first
_SLICE = 4  # voxels of the first axis of the array, SimpleITK's last
_COIL, _COIL_WIDTH = 0.4, 0.4  # of the field's logarithm; of the image's edges
_NOISE = 0.1  # of the range of intensities


def simulate_scanners(
    cases: Sequence[CohortCase], folder: Path
) -> dict[str, tuple[CohortCase, ...]]:
    """Write changed scans of cases; return the cases of each simulated scanner.

    Args:
        cases: of one channel, with labels.
        folder: gets a folder of images per scanner.
    """
    simulated: dict[str, tuple[CohortCase, ...]] = {}
    for name, change in SCANNERS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        simulated[name] = tuple(_simulated(case, change, folder / name) for case in cases)
    return simulated


def _simulated(
    case: CohortCase, change: Callable[[Image, np.random.Generator], Image], folder: Path
) -> CohortCase:
    image = SimpleITK.ReadImage(str(case.images[0]), SimpleITK.sitkFloat32)
    voxels = SimpleITK.GetArrayFromImage(image)
    low, high = np.percentile(voxels, (1, 99))
    unit = np.clip((voxels - low) / max(high - low, 1e-6), -0.25, 1.25)
    random = np.random.default_rng(zlib.crc32(case.name.encode()))
    changed = SimpleITK.GetImageFromArray(1000 * change(unit, random).astype(np.float32))
    changed.CopyInformation(image)
    path = folder / case.images[0].name
    SimpleITK.WriteImage(changed, str(path))
    return replace(case, images=(path,))


def _inverted(image: Image, random: np.random.Generator) -> Image:
    return 1 - image


def _t2_like(image: Image, random: np.random.Generator) -> Image:
    """Give each tissue, found by its intensity, the mean that it has in T2; textures stay."""
    start = np.quantile(image, (np.arange(_TISSUES) + 0.5) / _TISSUES)
    centers, tissue = kmeans2(image.reshape(-1, 1), start.reshape(-1, 1), minit="matrix")
    order = np.argsort(np.argsort(centers[:, 0]))
    shift = (np.asarray(_T2)[order] - centers[:, 0])[tissue].reshape(image.shape)
    return image + gaussian_filter(shift, 0.5)


def _thick_slices(image: Image, random: np.random.Generator) -> Image:
    """Average over thick slices, and interpolate between them."""
    slices = uniform_filter1d(image, _SLICE, axis=0, mode="nearest")[_SLICE // 2 :: _SLICE]
    factor = image.shape[0] / len(slices)
    thick: Image = zoom(slices, (factor, 1, 1), order=1, mode="nearest", grid_mode=True)
    return thick


def _coil_field(image: Image, random: np.random.Generator) -> Image:
    field = gaussian_filter(
        random.standard_normal(image.shape), [_COIL_WIDTH * n for n in image.shape], mode="reflect"
    )
    return image * np.exp(_COIL * (field - field.mean()) / field.std())


def _noisy(image: Image, random: np.random.Generator) -> Image:
    return image + _NOISE * random.standard_normal(image.shape)


SCANNERS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "inverted": _inverted,
    "t2-like": _t2_like,
    "thick-slices": _thick_slices,
    "coil-field": _coil_field,
    "noise": _noisy,
}
