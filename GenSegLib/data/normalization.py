"""Foreground masks and intensity normalization, slab by slab to save memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.resampling import SLAB_VOXELS, along_axis, spans
from ..presets import Intensity

Array = NDArray[Any]

CROP_MARGIN = 4  # voxels around the foreground
DARK_FRACTION = 0.1


@dataclass(frozen=True)
class IntensityStatistics:
    """Mean and standard deviation of each channel, both (channel, 1, 1, 1) float64."""

    mean: Array
    std: Array


def foreground_mask(array: Array, intensity: Intensity) -> Array:
    """Return the (x, y, z) mask of what is not air in any channel of (channel, x, y, z).

    With an intensity window (HU), air is what is not above its lower end. Otherwise it is what is
    below a tenth of the way from the channel's minimum to its 99th percentile.
    """
    if intensity.kind == "window":
        return np.asarray((array > intensity.low).any(axis=0))
    dark = array.min(axis=(1, 2, 3), keepdims=True)
    bright = np.percentile(array, 99, axis=(1, 2, 3), keepdims=True)
    return np.asarray((array > dark + DARK_FRACTION * (bright - dark)).any(axis=0))


def iterate_slabs(array: Array) -> Iterator[tuple[tuple[slice, ...], Array]]:
    """Yield slabs of a (channel, x, y, z) array across its longest axis.

    Yields:
        The index of a slab, and its copy in float32 with the array's memory layout.
    """
    along = int(np.argmax(array.shape[1:]))
    thickness = max(1, SLAB_VOXELS * array.shape[1 + along] // array.size)
    for start, stop in spans(array.shape[1 + along], thickness):
        index = along_axis(along, start, stop)
        yield index, np.array(array[index], np.float32, order="K")


def intensity_statistics(slabs: Iterable[Array]) -> IntensityStatistics:
    """Return the statistics of an image given slab by slab.

    Means and variances are merged as in Chan, Golub and LeVeque (1979), "Updating formulae and a
    pairwise algorithm for computing sample variances". A standard deviation of 0 is replaced by 1.
    """
    count, mean, variance = 0, np.zeros(()), np.zeros(())
    for slab in slabs:
        axes = tuple(range(1, slab.ndim))
        own_mean = slab.mean(axis=axes, keepdims=True, dtype=np.float64)
        own_variance = (slab - own_mean).var(axis=axes, keepdims=True, dtype=np.float64)
        own_count = slab[0].size
        count += own_count
        share, step = own_count / count, own_mean - mean
        mean = mean + share * step
        variance = variance + share * (own_variance - variance) + share * (1 - share) * step**2
    std = np.sqrt(variance)
    std[std == 0] = 1
    return IntensityStatistics(mean, std)


def normalize(
    slab: Array, intensity: Intensity, statistics: IntensityStatistics | None = None
) -> Array:
    """Normalize each channel of a (channel, x, y, z) slab.

    `window` maps the window to [0, 1] and clips; `zscore` subtracts the mean and divides by the
    standard deviation in `statistics`.
    """
    if intensity.kind == "window":
        scaled = (slab - intensity.low) / (intensity.high - intensity.low)
        return np.clip(scaled, 0, 1).astype(np.float32)
    assert statistics is not None
    return ((slab - statistics.mean) / statistics.std).astype(np.float32)
