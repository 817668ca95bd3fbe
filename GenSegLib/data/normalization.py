"""Foreground masks and intensity normalization, slab by slab to save memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.geometry import bounding_box
from ..images.resampling import SLAB_VOXELS, along_axis, spans
from ..presets import Intensity

Array = NDArray[Any]

CROP_MARGIN = 4  # voxels around the foreground
DARK_FRACTION = 0.1
CAPTION_FRACTION = 0.1  # of the pixels of a row or column
MIN_FIELD_OF_VIEW, MIN_BRIGHT = 0.4, 0.3  # of an image without borders, and of the rest
# HU: in a CT, air or fat is below the first, and the median of all other voxels below the second
CT_LOWEST, CT_MEDIAN = -100.0, 200.0

PERCENTILES = (0.5, 99.5)
_SAMPLE = 64  # voxels per axis, of which percentiles are computed
MEDIANS = (0.06, 0.7)  # of the range, within which gamma corrects the body's median


@dataclass(frozen=True)
class IntensityRange:
    """What images are clipped to, and the gamma that they then get within the range of 0 to 1.

    All are (channel, 1, 1, 1).
    """

    low: Array
    high: Array
    gamma: Array

    def apply(self, array: Array) -> Array:
        """Return intensities (channel, x, y, z) from 0 to 1; 0 where the range is empty."""
        span = self.high - self.low
        unit = np.clip((array - self.low) / np.where(span > 0, span, np.inf), 0, 1)
        return np.asarray(unit if np.all(self.gamma == 1) else unit**self.gamma)


@dataclass(frozen=True)
class IntensityStatistics:
    """Mean and standard deviation of each channel, both (channel, 1, 1, 1) float64.

    They are those after the scaling to `range`, if there is one.
    """

    mean: Array
    std: Array
    range: IntensityRange | None = None


def foreground_mask(array: Array, intensity: Intensity) -> Array:
    """Return the (x, y, z) mask of what is not air in any channel of (channel, x, y, z).

    With an intensity window (HU), air is what is not above its lower end. Otherwise it is what is
    below a tenth of the way from the channel's minimum to its 99th percentile.
    """
    if intensity.kind == "window":
        return np.asarray((array > intensity.low).any(axis=0))
    return _is_bright(array, array.min(axis=(1, 2, 3), keepdims=True))


def _is_bright(array: Array, dark: Array) -> Array:
    """Return the (x, y, z) mask of what is brighter than a tenth in any channel."""
    bright = np.percentile(array, 99, axis=(1, 2, 3), keepdims=True)
    return np.asarray((array > dark + DARK_FRACTION * (bright - dark)).any(axis=0))


def field_of_view_mask(array: Array, intensity: Intensity) -> Array:
    """Return the (x, y, z) mask of a 2-D image (channel, x, y, z) without black borders.

    Endoscopes, X-ray screens and video frames have some, which may hold captions: rows and columns
    that are black but for a few pixels. They count only where the rest is large and mostly bright,
    since structures may be all that is bright.
    """
    if intensity.kind == "window":
        return foreground_mask(array, intensity)
    mask = _is_bright(array, np.minimum(array.min(axis=(1, 2, 3), keepdims=True), 0))
    field_of_view = mask
    for axis in (axis for axis in range(3) if mask.shape[axis] > 1):
        others = tuple(other for other in range(3) if other != axis)
        field_of_view = field_of_view & (mask.mean(axis=others, keepdims=True) > CAPTION_FRACTION)
    part = mask[bounding_box(field_of_view)]
    is_large = part.size >= MIN_FIELD_OF_VIEW * mask.size
    return field_of_view if is_large and part.mean() >= MIN_BRIGHT else np.ones_like(mask)


def is_in_hu(array: Array) -> bool:
    """Return whether intensities (channel, x, y, z) look like HU, from a sample of the voxels.

    In HU, some are those of air or fat, and most others are those of soft tissue. Noise and
    interpolation leave negative intensities in MR images, too.
    """
    sample = _sample(array)
    if np.nanmin(sample) > CT_LOWEST:
        return False
    others = sample[sample > CT_LOWEST]
    return not others.size or float(np.median(others)) < CT_MEDIAN


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


def intensity_range(array: Array, intensity: Intensity) -> IntensityRange | None:
    """Return what a (channel, x, y, z) image is scaled to 0 to 1 from; None unless `robust`.

    It is the window if the image is in HU, otherwise percentiles: the lower one of all voxels,
    the upper one of what is not air. In MR, fluid can be several times as bright as organs; without
    the gamma these would all be dark.
    """
    if intensity.kind != "robust":
        return None
    sample = _sample(array)
    channels = (-1, 1, 1, 1)
    if is_in_hu(sample):  # whose own sample is all of it
        values = ([value] * len(sample) for value in (intensity.low, intensity.high, 1.0))
        return IntensityRange(*(np.reshape(each, channels) for each in values))
    mask = foreground_mask(sample, intensity)
    body = sample[:, mask] if mask.any() else sample.reshape(len(sample), -1)
    low = np.percentile(sample, PERCENTILES[0], axis=(1, 2, 3)).reshape(channels)
    high = np.percentile(body, PERCENTILES[1], axis=1).reshape(channels)
    linear = IntensityRange(low, high, np.ones_like(low))
    if not intensity.median:
        return linear
    median = np.median(linear.apply(body[:, :, None, None]), axis=1, keepdims=True)
    median = np.clip(median, *MEDIANS)
    return IntensityRange(low, high, np.log(intensity.median) / np.log(median))


def _sample(array: Array) -> Array:
    """Return every n-th voxel of a (channel, x, y, z) array."""
    steps = (slice(None, None, max(1, size // _SAMPLE)) for size in array.shape[1:])
    return np.asarray(array[(slice(None), *steps)], np.float32)


def intensity_statistics(
    slabs: Iterable[Array], scaling: IntensityRange | None
) -> IntensityStatistics:
    """Return the statistics of an image given slab by slab, scaled to a range if there is one.

    Means and variances are merged as in Chan, Golub and LeVeque (1979), "Updating formulae and a
    pairwise algorithm for computing sample variances". A standard deviation of 0 is replaced by 1.
    """
    count, mean, variance = 0, np.zeros(()), np.zeros(())
    for slab in slabs:
        slab = slab if scaling is None else scaling.apply(slab)
        axes = tuple(range(1, slab.ndim))
        own_mean = slab.mean(axis=axes, keepdims=True, dtype=np.float64)
        own_variance = (slab - own_mean).var(axis=axes, keepdims=True, dtype=np.float64)
        own_count = slab[0].size
        count += own_count
        fraction, step = own_count / count, own_mean - mean
        mean = mean + fraction * step
        variance = (
            variance + fraction * (own_variance - variance) + fraction * (1 - fraction) * step**2
        )
    std = np.sqrt(variance)
    std[std == 0] = 1
    return IntensityStatistics(mean, std, scaling)


def normalize(
    slab: Array, intensity: Intensity, statistics: IntensityStatistics | None = None
) -> Array:
    """Normalize each channel of a (channel, x, y, z) slab.

    `window` maps the window to [0, 1] and clips; `zscore` subtracts the mean and divides by the
    standard deviation in `statistics`; `robust` scales to its range before.
    """
    if intensity.kind == "window":
        scaled = (slab - intensity.low) / (intensity.high - intensity.low)
        return np.clip(scaled, 0, 1).astype(np.float32)
    assert statistics is not None
    slab = slab if statistics.range is None else statistics.range.apply(slab)
    return ((slab - statistics.mean) / statistics.std).astype(np.float32)
