"""Tells whether a segmentation's volumes are such as the labelled cases have.

A model that meets what it has not learned from, a whole head instead of its middle or another part
of the body, labels something all the same. That something is seldom of the right size.
"""

from __future__ import annotations

import numpy as np

from ..data.volume_ranges import show_ml, sound_range
from ..images.image_io import Volume
from ..models.folder import ModelMetadata


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
            f"{metadata.labels[value]} takes {show_ml(found)}, in the labelled cases "
            f"{show_ml(least)} to {show_ml(most)}; does the image show what the model was trained "
            "on, and all of it?"
        )
    return doubts


def _count(label: Volume, value: int) -> int:
    """Count the voxels of a label slice by slice: a mask of a large scan is large, too."""
    return sum(int(np.count_nonzero(plane == value)) for plane in label.array[0])
