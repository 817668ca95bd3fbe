"""Tells whether a segmentation's volumes are such as the labelled cases have.

A model that meets what it has not learned from, a whole head instead of its middle or another part
of the body, labels something all the same. That something is seldom of the right size.
"""

from __future__ import annotations

import math

import numpy as np

from ..images.image_io import Volume
from ..models.folder import ModelMetadata

_TOLERANCE = 1.5


def find_odd_volumes(label: Volume, metadata: ModelMetadata) -> list[str]:
    """Give a line for each label that takes far more or far less room than in the labelled cases.

    Args:
        label: (1, x, y, z) of label values.
        metadata: of the model; what it does not know the volumes of is not judged.
    """
    voxel_ml = float(np.prod(label.spacing)) / 1000
    doubts = []
    for value, (least, most) in sorted(metadata.volumes.items()):
        found = voxel_ml * _count(label, value)
        low, high = sound_range(least, most)
        if low <= found <= high:
            continue
        doubts.append(
            f"{metadata.labels[value]} takes {found:.3g} ml, in the labelled cases {least:.3g} to "
            f"{most:.3g} ml; does the image show what the model was trained on, and all of it?"
        )
    return doubts


def sound_range(least: float, most: float) -> tuple[float, float]:
    """Give the volumes that nobody wonders at, by the least and the largest in the labelled cases.

    Of a few cases none is the largest there can be: 1.5 times as much is sound
    (`Testing/Benchmarks/volume_range.py`), and more where they differ more, as lesions do. What
    some cases lack altogether can be of any size.
    """
    if least == 0:
        return 0.0, math.inf
    tolerance = max(_TOLERANCE, math.sqrt(most / least))
    return least / tolerance, most * tolerance


def _count(label: Volume, value: int) -> int:
    """Count the voxels of a label slice by slice: a mask of a large scan is large, too."""
    return sum(int(np.count_nonzero(plane == value)) for plane in label.array[0])
