"""How far a model's probabilities are what they say: expected calibration error.

Voxels are put into 15 bins of equal width by the probability of the class that the model decides
for; the error is the mean over the voxels of the gap between a bin's mean probability and its share
of right decisions (Guo et al., ICML 2017, arXiv:1706.04599). Only voxels in the box of the
reference's foreground, grown by 4 mm, count: they are the same for every arm, and far background,
which any model is sure of, does not hide the error at the borders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BINS = 15
MARGIN_MM = 4.0


@dataclass(frozen=True)
class Histogram:
    """For each bin: how many voxels, the sum of their probabilities, and how many are right."""

    voxels: Array
    probability: Array
    right: Array

    @classmethod
    def of(cls, probabilities: Array, right: Array) -> Histogram:
        """Count voxels by the probability of what was decided, and whether it was right."""
        places = np.clip(np.ceil(probabilities * BINS).astype(int) - 1, 0, BINS - 1)
        counts = (
            np.bincount(places, weights, minlength=BINS)
            for weights in (np.ones_like(probabilities), probabilities, right.astype(float))
        )
        return cls(*counts)

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram(
            self.voxels + other.voxels,
            self.probability + other.probability,
            self.right + other.right,
        )

    @property
    def error(self) -> float:
        """The expected calibration error, from 0 to 1."""
        return float(np.abs(self.probability - self.right).sum() / self.voxels.sum())


def case_histogram(
    probabilities: Array, label_values: Sequence[int], reference: Array, spacing: Sequence[float]
) -> Histogram:
    """Count the voxels of a case around its reference.

    Args:
        probabilities: (class, x, y, z), before any cleaning.
        label_values: the label value of each class.
        reference: label volume (x, y, z) with some foreground.
        spacing: of the grid, in mm.
    """
    box = foreground_box(reference, spacing)
    inside = probabilities[(slice(None), *box)]
    decided = np.asarray(label_values)[inside.argmax(axis=0)]
    right = decided == reference[box]
    return Histogram.of(inside.max(axis=0).ravel(), right.ravel())


def foreground_box(reference: Array, spacing: Sequence[float]) -> tuple[slice, ...]:
    """Give the box of the foreground, grown by 4 mm."""
    box = []
    for places, size, step in zip(np.nonzero(reference), reference.shape, spacing):
        margin = int(np.ceil(MARGIN_MM / step))
        box.append(slice(max(0, places.min() - margin), min(size, places.max() + 1 + margin)))
    return tuple(box)
