"""Warnings about images that differ from the training cases, and about implausible results.

Light: imports numpy alone, so that the panel can warn before a model is applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..data.volume_ranges import format_ml, label_volumes, plausible_range
from ..models.folder import ModelMetadata

if TYPE_CHECKING:
    from ..images.volume import Volume

_MAX_SPACING_RATIO = 4.0
_MIN_VIEW_FRACTION = 0.5  # of the patch
_AIR_HU = -500.0
_MIN_HU_RANGE = 100.0
_MAX_HU = 32767.0


def image_warnings(image: Volume, metadata: ModelMetadata) -> list[str]:
    """Return one line per reason why a model may fail on an image."""
    low, high = float(image.array.min()), float(image.array.max())
    return grid_warnings(metadata, low, high, image.shape, image.spacing)


def grid_warnings(
    metadata: ModelMetadata,
    low: float,
    high: float,
    shape: Sequence[int],
    spacing: Sequence[float],
) -> list[str]:
    """Return `image_warnings` from an image's range and grid, without its voxels.

    Args:
        metadata: of the model.
        low: smallest value of the image.
        high: largest value of the image.
        shape: voxels along each axis, in any order of the axes.
        spacing: voxel size along each axis in mm or pixels, in the same order.
    """
    shape, spacing = _in_plane(metadata, shape, spacing)
    if low == high:
        return [f"all voxels are {low:g}: there is nothing to segment"]
    grid = _spacing_warning(metadata, spacing) or _extent_warning(metadata, shape, spacing)
    preset = metadata.preset
    modality = "" if preset.intensity.kind == "robust" else preset.modality  # any is expected
    found = (_modality_warning(modality, low, high), grid)
    return [warning for warning in found if warning]


def _in_plane(
    metadata: ModelMetadata, shape: Sequence[int], spacing: Sequence[float]
) -> tuple[Sequence[int], Sequence[float]]:
    """Return the axes of a 2-D image, in the model's pixels if its lengths are in pixels."""
    if 1 in shape:
        across = max(k for k, size in enumerate(shape) if size == 1)
        shape = [size for k, size in enumerate(shape) if k != across]
        spacing = [step for k, step in enumerate(spacing) if k != across]
    if metadata.preset.unit == "px":
        longest = max(size * step for size, step in zip(shape, spacing))
        unit = longest / metadata.preset.long_side if metadata.preset.long_side else min(spacing)
        spacing = [step / unit for step in spacing]
    return shape, spacing


def volume_warnings(label: Volume, metadata: ModelMetadata) -> list[str]:
    """Return a line about structures whose volume is far outside the range of the labeled cases.

    On an image unlike its training cases (a whole head instead of a crop, another part of the
    body) a model still segments something, but rarely something of the right size. With many
    classes a line for each of them would hide everything else.

    Args:
        label: (1, x, y, z) of label values.
        metadata: of the model; labels without a known range are not checked.
    """
    regions = metadata.regions
    own = label_volumes(label.array[0], metadata.labels, label.spacing)
    volumes = {value: sum(own[v] for v in regions[value]) for value in metadata.volumes}
    outliers = []
    for value, (smallest, largest) in sorted(metadata.volumes.items()):
        low, high = plausible_range(smallest, largest)
        if not low <= volumes[value] <= high:
            known = f"{format_ml(smallest)} to {format_ml(largest)}"
            outliers.append((metadata.labels[value], format_ml(volumes[value]), known))
    advice = "check that the image shows the same region as the training cases"
    if not outliers:
        return []
    if len(outliers) == 1:
        name, volume, known = outliers[0]
        return [f"the volume of {name} is {volume}, but {known} in the labeled cases; {advice}"]
    shown = ", ".join(f"{name} {volume} instead of {known}" for name, volume, known in outliers)
    differ = f"the volumes of {len(outliers)} structures differ from the labeled cases"
    return [f"{differ}; {advice} ({shown})"]


def _modality_warning(modality: str, low: float, high: float) -> str:
    values = f"its values range from {low:g} to {high:g}"
    if modality == "CT" and high > _MAX_HU:
        return f"the model expects CT in Hounsfield units, but {values}; check for 16-bit overflow"
    if modality == "CT" and (low >= 0 or high - low < _MIN_HU_RANGE):
        return (
            f"the model expects CT in Hounsfield units, but {values}; check that the image is a "
            "rescaled CT"
        )
    if modality == "MR" and low < _AIR_HU:
        return f"the model expects MR, but {values} as in a CT; use a model for CT"
    return ""


def _spacing_warning(metadata: ModelMetadata, spacing: Sequence[float]) -> str:
    expected = metadata.spacing or metadata.preset.spacing
    if expected is None or metadata.preset.unit == "px":
        return ""
    expected = tuple(sorted(expected)[: len(spacing)])
    ratio = np.sort(spacing)[: len(expected)] / np.sort(expected)
    if (ratio < _MAX_SPACING_RATIO).all() and (ratio > 1 / _MAX_SPACING_RATIO).all():
        return ""
    own, model = _lengths(spacing), _lengths(expected)
    return f"the spacing is {own}, far from the model's {model}; check the image's spacing"


def _extent_warning(metadata: ModelMetadata, shape: Sequence[int], spacing: Sequence[float]) -> str:
    """Warn if the image is much smaller than the model's patch.

    A 2-D patch is compared with the two longest axes: any other choice could be that of slices.
    """
    step, size = metadata.preset.spacing or metadata.spacing, metadata.preset.patch_size
    if step is None:
        return ""
    if len(step) > len(size):  # the typical spacing of the cases: slices are the coarsest
        step = tuple(sorted(step)[: len(size)])
    shown, patch = np.multiply(shape, spacing), np.multiply(size, step)
    unit = metadata.preset.unit
    if (np.sort(shown)[-len(patch) :] >= _MIN_VIEW_FRACTION * np.sort(patch)).all():
        return ""
    return (
        f"the image covers {_lengths(shown, unit)}, much less than the model's patch of "
        f"{_lengths(patch, unit)}; check that it shows the whole structure"
    )


def _lengths(lengths: Sequence[float] | np.ndarray, unit: str = "mm") -> str:
    return " x ".join(f"{float(f'{length:.3g}'):g}" for length in lengths) + f" {unit}"
