"""k-means clustering of feature vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_SAMPLE = 8192  # vectors that the centers are computed from
_ITERATIONS = 10


def cluster(features: Array, count: int, rng: np.random.Generator) -> Array:
    """Assign feature vectors to at most `count` clusters; identical vectors share one.

    The centers start as in k-means++ (Arthur and Vassilvitskii, SODA 2007) and are computed from a
    random sample.

    Args:
        features: (n, feature).
        count: number of clusters; fewer if there are fewer distinct vectors.
        rng: random generator.

    Returns:
        The index of each vector's cluster (n,), 0, 1, ... without gaps.
    """
    if len(features) == 0:
        return np.zeros(0, dtype=np.int64)
    chosen = rng.choice(len(features), min(_SAMPLE, len(features)), replace=False)
    sample = features[chosen].astype(np.float64)
    centers = _initial_centers(sample, count, rng)
    for _ in range(_ITERATIONS):
        nearest = _nearest(sample, centers)
        present = np.unique(nearest)
        centers = np.stack([sample[nearest == k].mean(axis=0) for k in present])
    found = _nearest(features, centers)
    return np.unique(found, return_inverse=True)[1].reshape(-1)


def _initial_centers(sample: Array, count: int, rng: np.random.Generator) -> Array:
    """Draw centers with a probability proportional to the squared distance to those before."""
    centers = [sample[rng.integers(len(sample))]]
    squares = ((sample - centers[0]) ** 2).sum(axis=1)
    tiny = 1e-12 * max(1.0, float((sample**2).sum(axis=1).max()))
    while len(centers) < count and squares.max() > tiny:
        centers.append(sample[rng.choice(len(sample), p=squares / squares.sum())])
        squares = np.minimum(squares, ((sample - centers[-1]) ** 2).sum(axis=1))
    return np.stack(centers)


def _nearest(features: Array, centers: Array) -> Array:
    distances = (centers**2).sum(axis=1) - 2 * features @ centers.T.astype(features.dtype)
    return np.asarray(distances.argmin(axis=1))
