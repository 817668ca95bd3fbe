"""The most probable class of resampled probabilities, without resampling all of them.

Resampling averages neighboring voxels, and the largest of n probabilities is at least 1 / n: a
class can only be the most probable one next to voxels in which its probability is at least 1 / n.
For organs that is a small box, outside of which nothing needs to be resampled.

Light: imports numpy alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..images.resampling import Array, Axis, Box, resample_box

_ROUNDING = 0.99  # probabilities that were summed in half precision do not add up to 1 exactly


def resampled_label(
    part: Array, axes: Sequence[Axis], box: Box, values: Sequence[int]
) -> tuple[tuple[slice, ...], Array] | None:
    """Return the label of a box of the resampled probabilities.

    Args:
        part: (class, x, y, z) probabilities, the source voxels of the box along each axis.
        axes: resampling of x, y and z.
        box: see `resample_box`.
        values: label value of each class, background first.

    Returns:
        The part of the result outside of which everything is background, as a slice along each
        axis, and its label (x, y, z) in int16; None if there is only background. In ties the first
        class wins.
    """
    candidates = {index: _candidate_box(part, index, axes, box) for index in range(1, len(part))}
    boxes = {index: each for index, each in candidates.items() if each is not None}
    if not boxes:
        return None
    union = tuple(
        (min(start for start, _ in ends), max(stop for _, stop in ends))
        for ends in zip(*boxes.values())
    )
    best = _resample_class(part, 0, axes, box, union)
    label = np.full_like(best, values[0], np.int16)
    for index, each in boxes.items():
        inside = tuple(
            slice(start - first, stop - first) for (start, stop), (first, _) in zip(each, union)
        )
        probability = _resample_class(part, index, axes, box, each)
        larger = probability > best[inside]
        label[inside][larger] = values[index]
        np.copyto(best[inside], probability, where=larger)
    return tuple(slice(*ends) for ends in union), label


def _candidate_box(part: Array, index: int, axes: Sequence[Axis], box: Box) -> Box | None:
    """Return the box of the result in which a class may be the most probable one, if any."""
    possible = part[index] >= _ROUNDING / len(part)
    found = []
    for k, (axis, ends) in enumerate(zip(axes, box)):
        inside = np.flatnonzero(possible.any(axis=tuple({0, 1, 2} - {k})))
        if not len(inside):
            return None
        first, _ = axis.source_range(*ends)
        start, stop = axis.target_range(first + int(inside[0]), first + int(inside[-1]) + 1)
        start, stop = max(start, ends[0]), min(stop, ends[1])
        if start >= stop:
            return None
        found.append((start, stop))
    return tuple(found)


def _resample_class(part: Array, index: int, axes: Sequence[Axis], box: Box, target: Box) -> Array:
    """Return the probability (x, y, z) of a class in a box of the result within another one."""
    source = []
    for axis, ends, wanted in zip(axes, box, target):
        first, _ = axis.source_range(*ends)
        start, stop = axis.source_range(*wanted)
        source.append(slice(start - first, stop - first))
    resampled: Array = resample_box(part[(slice(index, index + 1), *source)], axes, target)[0]
    return resampled
