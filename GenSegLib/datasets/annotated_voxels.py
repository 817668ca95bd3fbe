"""Which voxels of a label were annotated.

While a label is placed on its image's grid, voxels to ignore and those of a segment *Background*
have values above all labels; afterwards they are `IGNORE` and 0.

Light: numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..case_annotation import PLANES, Annotation
from ..images.geometry import world_axis
from ..images.volume import Volume
from ..label_maps import BACKGROUND, IGNORE, MAX_LABEL, normalized, special_value

Array = NDArray[Any]

_MARKS = {IGNORE: MAX_LABEL + 1, BACKGROUND: MAX_LABEL + 2}


def special_segments(names: Mapping[int, str], annotation: Annotation) -> dict[int, int]:
    """Return the new value of segments that are no classes, by their value in the file.

    That is `IGNORE` or `BACKGROUND` for those of these names, or what the annotation says of them.
    """
    known = {normalized(name): value for name, value in annotation.segments.items()}
    new = {
        value: special_value(name) or known.get(normalized(name)) for value, name in names.items()
    }
    return {value: found for value, found in new.items() if found is not None}


def remap_values(label: Volume, new: Mapping[int, int], *, keep_others: bool) -> Volume:
    """Replace the values of a label; `IGNORE` and `BACKGROUND` become marks, see `finalize_label`.

    Args:
        label: (1, x, y, z) of values of 0 or more.
        new: new value by old value; old ones that no label can have, such as -1, do not matter.
        keep_others: keep values without a new one; else they become background.
    """
    largest = int(label.array.max(initial=0))
    new = {old: value for old, value in new.items() if 0 <= old <= largest}
    if not new and keep_others:
        return label
    table = np.arange(1 + largest) if keep_others else np.zeros(1 + largest, np.int64)
    for old, value in new.items():
        table[old] = _MARKS.get(value, value)
    dtype = np.int16 if table.max(initial=0) <= MAX_LABEL else np.int32
    return replace(label, array=table.astype(dtype)[label.array])


def finalize_label(label: Volume, annotation: Annotation) -> Volume:
    """Return a placed label as int16, with `IGNORE` where nobody annotated.

    Args:
        label: (1, x, y, z) on the image's grid, with marks of `remap_values`.
        annotation: says which slices and voxels without a segment nobody annotated.
    """
    if label.array.dtype == np.int16 and not (annotation.only_slices or annotation.scribbles):
        return label
    array = label.array.copy()
    array[array == _MARKS[IGNORE]] = IGNORE
    drawn = array > 0
    if annotation.scribbles:
        array[~drawn] = IGNORE
    if annotation.only_slices:
        array[:, ~in_annotated_slices(drawn[0], label, annotation.only_slices)] = IGNORE
    array[array == _MARKS[BACKGROUND]] = 0
    return replace(label, array=array.astype(np.int16))


def in_annotated_slices(drawn: Array, image: Volume, plane: str) -> Array:
    """Return the voxels of all slices with a drawn voxel.

    Args:
        drawn: (x, y, z).
        image: with the axes of the voxels; slices of an oblique image are those closest to a plane.
        plane: one of `PLANES`.
    """
    axes = [world_axis(code) for code in image.orientation]
    others = tuple({0, 1, 2} - {axes.index(PLANES[plane])})
    return np.broadcast_to(drawn.any(axis=others, keepdims=True), drawn.shape)
