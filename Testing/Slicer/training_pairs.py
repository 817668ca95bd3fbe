"""Training pairs of made-up volumes with an organ and a lesion."""

from __future__ import annotations

import numpy as np
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import (
    GRIDS,
    add_segmentation,
    add_volume,
    noise,
    oriented_image,
    two_class_labels,
)

NAMES = {1: "Organ", 2: "Lesion"}
SAME = {name: name for name in NAMES.values()}
"""Each segment is a class of the same name."""


def pair_of(name: str, seed: int = 0, values: tuple[int, ...] = (1, 2)) -> TrainingPair:
    """A pair whose segmentation has these label values alone."""
    label = two_class_labels()
    label[~np.isin(label, values)] = 0
    volume = add_volume(noise(seed=seed), GRIDS["RAS"], name)
    node = add_segmentation([(oriented_image(label, GRIDS["RAS"]), NAMES)], f"{name} segmentation")
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    return TrainingPair(volume, node)
