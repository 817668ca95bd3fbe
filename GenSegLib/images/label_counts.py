"""Count the voxels of each value of a label, and check the values.

Light: numpy alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GenSegError
from ..label_maps import MAX_LABEL

_MAX_BINCOUNT_VALUE = 1 << 16


def label_counts(label: NDArray[Any]) -> dict[int, int]:
    """Return the number of voxels of each value but 0, sorted by value.

    Works slice by slice, since copies of large scans are large.

    Args:
        label: of integers (or floats, which are truncated), with three axes in any memory layout.
    """
    counts: dict[int, int] = {}
    for part in np.moveaxis(label, int(np.argmax(np.abs(label.strides))), 0):
        for value, count in _count_slice(part):
            counts[value] = counts.get(value, 0) + count
    counts.pop(0, None)
    return dict(sorted(counts.items()))


def _count_slice(part: NDArray[Any]) -> list[tuple[int, int]]:
    if part.size == 0 or not part.any():
        return []
    if part.dtype.kind in "iu" and part.min() >= 0 and part.max() < _MAX_BINCOUNT_VALUE:
        found = np.bincount(part.ravel(order="K"))
        values = np.flatnonzero(found)
        return list(zip(values.tolist(), found[values].tolist()))
    values, frequencies = np.unique(part, return_counts=True)
    return list(zip(values.astype(int).tolist(), frequencies.tolist()))


def require_label_values(path: Path, array: NDArray[Any]) -> None:
    """Raise GenSegError if a voxel is outside 0..32767, such as -1 of programs that ignore these.

    Args:
        path: of the label, for the message.
        array: of whole numbers.
    """
    low, high = array.min(initial=0), array.max(initial=0)
    if low >= 0 and high <= MAX_LABEL:
        return
    value, remedy = high, "renumber the labels"
    if low < 0:
        value = low
        remedy = (
            'save these voxels as 0 if they are background, or as a class named "Ignore" if nobody '
            "annotated them"
        )
    count = int(np.count_nonzero(array == value))
    raise GenSegError(
        f"{path}: label value {value:g} is outside 0..{MAX_LABEL} (in {count} voxels); {remedy}"
    )
