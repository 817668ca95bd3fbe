"""Brings the values of images to what networks expect; slab by slab, so that memory stays small."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..images.resampling import SLAB_VOXELS, along_axis, spans
from ..presets import Intensity

Array = NDArray[Any]


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation of each channel, both (channel, 1, 1, 1) float64."""

    mean: Array
    deviation: Array


def slabs_of(array: Array) -> Iterator[tuple[tuple[slice, ...], Array]]:
    """Give the slabs of a (channel, x, y, z) array across its longest axis, and their places.

    Yields:
        The index of a slab, and a copy of it in float32 that lies in memory as the array does.
    """
    along = int(np.argmax(array.shape[1:]))
    thickness = max(1, SLAB_VOXELS * array.shape[1 + along] // array.size)
    for start, stop in spans(array.shape[1 + along], thickness):
        index = along_axis(along, start, stop)
        yield index, np.array(array[index], np.float32, order="K")


def measure(slabs: Iterable[Array]) -> Spread:
    """Measure the spread of an image that is seen slab by slab.

    The slabs' means and variances are merged as by Chan, Golub and LeVeque (1979), "Updating
    formulae and a pairwise algorithm for computing sample variances".
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
    deviation = np.sqrt(variance)
    deviation[deviation == 0] = 1
    return Spread(mean, deviation)


def normalize(slab: Array, intensity: Intensity, spread: Spread | None = None) -> Array:
    """Normalize a (channel, x, y, z) slab of an image, each channel by itself.

    `window` maps its low end to 0, its high end to 1 and clips the rest; `zscore` gives the image
    of that `spread` mean 0 and deviation 1 (0 all over where the channel is constant).
    """
    if intensity.kind == "window":
        scaled = (slab - intensity.low) / (intensity.high - intensity.low)
        return np.clip(scaled, 0, 1).astype(np.float32)
    assert spread is not None
    return ((slab - spread.mean) / spread.deviation).astype(np.float32)
