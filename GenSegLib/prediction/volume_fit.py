"""Tells whether a segmentation's volumes are such as the labeled cases have.

A model that meets what it has not learned from, a whole head instead of its middle or another part
of the body, labels something all the same. That something is seldom of the right size.
"""

from __future__ import annotations

from ..data.volume_ranges import show_ml, sound_range, volumes_in
from ..images.image_io import Volume
from ..models.folder import ModelMetadata


def find_odd_volumes(label: Volume, metadata: ModelMetadata) -> list[str]:
    """Give a line for each label that takes far more or far less room than in the labeled cases.

    Args:
        label: (1, x, y, z) of label values.
        metadata: of the model; what it does not know the volumes of is not judged.
    """
    volumes = volumes_in(label.array[0], metadata.volumes, label.spacing)
    doubts = []
    for value, (least, most) in sorted(metadata.volumes.items()):
        found = volumes[value]
        low, high = sound_range(least, most)
        if low <= found <= high:
            continue
        doubts.append(
            f"{metadata.labels[value]} takes {show_ml(found)}, in the labeled cases "
            f"{show_ml(least)} to {show_ml(most)}; does the image show what the model was trained "
            "on, and all of it?"
        )
    return doubts
