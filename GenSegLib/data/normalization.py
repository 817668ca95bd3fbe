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
CT_LOWEST = -100.0  # HU; MR images have no intensities below

PERCENTILES = (0.5, 99.5)
_SAMPLE = 64  # voxels per axis, of which percentiles are computed


@dataclass(frozen=True)
class IntensityStatistics:
    """Mean and standard deviation of each channel, both (channel, 1, 1, 1) float64.

    `limits` are the intensities (low, high) that images are clipped to before, if they are.
    """

    mean: Array
    std: Array
    limits: tuple[Array, Array] | None = None


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


def clip_limits(array: Array, intensity: Intensity) -> tuple[Array, Array] | None:
    """Return the intensities of a (channel, x, y, z) image to clip to; None unless `robust`.

    They are the window if the image is in HU, otherwise percentiles: the lower one of all voxels,
    the upper one of what is not air.
    """
    if intensity.kind != "robust":
        return None
    steps = (slice(None, None, max(1, size // _SAMPLE)) for size in array.shape[1:])
    sample = np.asarray(array[(slice(None), *steps)], np.float32)
    if sample.min() <= CT_LOWEST:
        return np.array(intensity.low), np.array(intensity.high)
    low, high = PERCENTILES
    mask = foreground_mask(sample, intensity)
    shape = (-1, 1, 1, 1)
    bright = np.percentile(sample[:, mask], high, axis=1) if mask.any() else sample.max((1, 2, 3))
    return np.percentile(sample, low, axis=(1, 2, 3)).reshape(shape), bright.reshape(shape)


def intensity_statistics(
    slabs: Iterable[Array], limits: tuple[Array, Array] | None = None
) -> IntensityStatistics:
    """Return the statistics of an image given slab by slab, clipped to limits if there are any.

    Means and variances are merged as in Chan, Golub and LeVeque (1979), "Updating formulae and a
    pairwise algorithm for computing sample variances". A standard deviation of 0 is replaced by 1.
    """
    count, mean, variance = 0, np.zeros(()), np.zeros(())
    for slab in slabs:
        slab = slab if limits is None else np.clip(slab, *limits)
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
    return IntensityStatistics(mean, std, limits)


def normalize(
    slab: Array, intensity: Intensity, statistics: IntensityStatistics | None = None
) -> Array:
    """Normalize each channel of a (channel, x, y, z) slab.

    `window` maps the window to [0, 1] and clips; `zscore` subtracts the mean and divides by the
    standard deviation in `statistics`; `robust` clips to its limits before.
    """
    if intensity.kind == "window":
        scaled = (slab - intensity.low) / (intensity.high - intensity.low)
        return np.clip(scaled, 0, 1).astype(np.float32)
    assert statistics is not None
    slab = slab if statistics.limits is None else np.clip(slab, *statistics.limits)
    return ((slab - statistics.mean) / statistics.std).astype(np.float32)
