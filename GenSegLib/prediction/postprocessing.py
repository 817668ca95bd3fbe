"""Postprocessing of label volumes: largest connected components and hole filling.

Labels are modified in place, since those of large scans are large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..images.label_regions import mask_of, union_box
from ..presets import Preset

Array = NDArray[Any]

_MIN_FRACTION = 0.1  # of the largest component's voxels


def postprocess(
    label: Array,
    preset: Preset,
    labels: Sequence[int],
    regions: Mapping[int, Sequence[int]] | None = None,
) -> Array:
    """Keep the largest components, then fill holes, as the preset says.

    Args:
        label: (x, y, z) label values; it is modified.
        preset: of the model.
        labels: label values of the model, without background.
        regions: values that belong to a label, see `nesting`; its own by default.
    """
    if label.strides[0] < label.strides[-1]:  # x fastest, as in image files: as fast as z fastest
        return postprocess(label.T, preset, labels, regions).T
    if preset.single_foreground:
        label = largest_foreground(label)
    if preset.largest_component:
        label = largest_components(label, preset.with_single_component(labels), regions)
    return fill_holes(label, labels) if preset.fill_holes else label


def largest_foreground(label: Array) -> Array:
    """Keep the largest connected component of all labels together, see `largest_components`.

    The largest component of a label alone may be one far from the structure that it is a part of.

    Args:
        label: (x, y, z) label values of the whole field of view; it is modified.
    """
    boxes = ndimage.find_objects(label)
    box = union_box(boxes, range(1, len(boxes) + 1))
    if box is not None:
        part = label[box]
        mask = part > 0
        part[mask] = np.where(_in_largest_component(mask, box, label.shape), part[mask], 0)
    return label


def largest_components(
    label: Array, labels: Iterable[int], regions: Mapping[int, Sequence[int]] | None = None
) -> Array:
    """Keep the largest connected component of each label; the rest becomes background.

    If that component reaches a face of the volume, other components that reach the same face and
    have at least a tenth of its voxels are kept too: lobes of a liver may be connected outside
    the field of view. Connectivity is 26; ties go to the component that comes first in memory.

    Args:
        label: (x, y, z) label values of the whole field of view; it is modified.
        labels: values to process; others are unchanged.
        regions: values that connect a label, those of classes within it; its own by default.
    """
    boxes = ndimage.find_objects(label)
    for value in labels:
        values = (regions or {}).get(value, (value,))
        box = union_box(boxes, values)
        if box is not None:
            part = label[box]
            mask = mask_of(part, values)
            kept, own = _in_largest_component(mask, box, label.shape), part[mask]
            part[mask] = np.where(kept | (own != value), own, 0)
    return label


def fill_holes(label: Array, labels: Iterable[int]) -> Array:
    """Fill background that a label encloses; other labels are unchanged.

    Holes are background that is not connected (6-connectivity) to the border of the label's
    bounding box. Holes enclosed by two labels go to the higher value, since inner structures (a
    lesion in its organ) have higher values.

    Args:
        label: (x, y, z) label values; it is modified.
        labels: values whose holes to fill.
    """
    boxes = ndimage.find_objects(label)
    for value in sorted(labels, reverse=True):
        box = boxes[value - 1] if value <= len(boxes) else None
        if box is not None:
            part = label[box]
            part[ndimage.binary_fill_holes(part == value) & (part == 0)] = value
    return label


def _in_largest_component(mask: Array, box: Sequence[slice], shape: Sequence[int]) -> Array:
    """Return which voxels are in the largest component or one connected to it outside the image.

    Args:
        mask: (x, y, z), of a box of the image.
        box: start and stop along each axis.
        shape: of the image.

    Returns:
        One value for each voxel of the mask, in the order of `array[mask]`.
    """
    components, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    inside = components[mask]
    sizes = np.bincount(inside)
    largest = sizes.argmax()
    keep = np.zeros(count + 1, bool)
    keep[largest] = True
    for axis, (side, size) in enumerate(zip(box, shape)):
        for is_face, index in ((side.start == 0, 0), (side.stop == size, -1)):
            touching = np.unique(components.take(index, axis)) if is_face else ()
            if largest in touching:
                keep[touching] |= sizes[touching] >= _MIN_FRACTION * sizes[largest]
    return np.asarray(keep[inside])
