"""Regions of a label map: the voxels of several of its values, such as a liver with its tumors.

Light: numpy alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nesting import Includes, drawing_layers, region_values

Array = NDArray[Any]
Box = tuple[slice, ...]


def mask_of(label: Array, values: Collection[int]) -> Array:
    """Return the voxels of a label that have one of the values."""
    first, *others = values
    mask: Array = label == first
    for value in others:
        mask |= label == value
    return mask


def union_box(boxes: Sequence[Box | None], values: Collection[int]) -> Box | None:
    """Return the box around the boxes of values 1, 2, ...; None if none of the values is there."""
    found = [box for v in values if v <= len(boxes) and (box := boxes[v - 1]) is not None]
    if not found:
        return None
    sides = zip(*found)
    return tuple(slice(min(s.start for s in side), max(s.stop for s in side)) for side in sides)


def region_layers(
    label: Array, names: Mapping[int, str], includes: Includes
) -> tuple[Array, dict[int, int]]:
    """Return layers (layer, x, y, z) in which outer classes hold those within them.

    Args:
        label: (x, y, z), exclusive.
        names: of the label values.
        includes: names of the classes within a class.

    Returns:
        The layers, the outermost classes first, and the layer of each value.
    """
    layer_of = drawing_layers(names, includes)
    regions = region_values(includes, names)
    layers = np.zeros((1 + max(layer_of.values(), default=0), *label.shape), label.dtype)
    for value, layer in layer_of.items():
        layers[layer][mask_of(label, regions[value])] = value
    return layers, layer_of
