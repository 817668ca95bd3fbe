"""Overlapping segments of a file: merged into one label, with what is lost and what looks nested.

Light: numpy alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import GenSegError
from ..label_maps import BACKGROUND, IGNORE, normalized, special_value
from ..nesting import Includes, drawing_order, region_values
from .seg_nrrd import Segment

Array = NDArray[Any]
Warn = Callable[[str], None]

NESTED_FRACTION = 0.95  # of a segment's voxels within another


def flatten_layers(
    layers: Array,
    segments: Sequence[Segment],
    includes: Includes,
    warn: Warn,
) -> Array:
    """Merge segments of (layer, x, y, z) into one label volume (x, y, z); see `merge_segments`.

    Raises:
        GenSegError: a segment refers to a missing layer.
    """
    for segment in segments:
        if segment.layer >= len(layers):
            raise GenSegError(
                f"segment {segment.name!r} refers to the missing layer {segment.layer}; save the "
                "segmentation again"
            )
    by_value = {segment.value: segment for segment in segments}

    def mask_of(value: int) -> Array:
        return np.asarray(layers[by_value[value].layer] == by_value[value].stored_value)

    label = np.zeros(layers.shape[1:], layers.dtype if layers.itemsize > 1 else np.int16)
    names = {segment.value: segment.name for segment in segments}
    merge_segments(label, names, mask_of, includes, warn)
    unknown = 0
    for index, layer in enumerate(layers):
        stored = [segment.stored_value for segment in segments if segment.layer == index]
        unknown += int(np.count_nonzero((layer != 0) & ~np.isin(layer, stored)))
    if unknown:
        warn(f"{unknown} voxels belong to no segment and are read as background")
    return label


def merge_segments(
    label: Array,
    names: Mapping[int, str],
    mask_of: Callable[[int], Array],
    includes: Includes,
    warn: Warn,
) -> None:
    """Draw segments into a label, the later over the earlier, as in Slicer's export to a labelmap.

    Classes within others are drawn after those, *Ignore* over everything, *Background* under it.

    Args:
        label: zeros; the result.
        names: of the segments by value, in their order.
        mask_of: returns the voxels of a segment.
        includes: names of the classes within a class.
        warn: receives the overlaps that `includes` does not explain.
    """
    ranks = {BACKGROUND: 0, 0: 1, IGNORE: 2}
    order = sorted(drawing_order(names, includes), key=lambda k: ranks[special_value(names[k])])
    totals = {}
    for value in order:
        mask = mask_of(value)
        totals[value] = int(np.count_nonzero(mask))
        label[mask] = value
    expected = region_values(includes, names)
    for value in order:
        if totals[value] == int(np.count_nonzero(label == value)) or special_value(names[value]):
            continue
        lost = label[mask_of(value) & (label != value)]
        others, counts = np.unique(lost, return_counts=True)
        found = {
            int(other): int(count)
            for other, count in zip(others, counts)
            if other not in expected[value] and not special_value(names[int(other)])
        }
        for warning in _warnings(value, found, totals, names):
            warn(warning)


def _warnings(
    value: int, found: Mapping[int, int], totals: Mapping[int, int], names: Mapping[int, str]
) -> Iterator[str]:
    """Yield a warning if a segment lost voxels to others that are not declared to be within it."""
    if not found:
        return
    yield overlap_warning(names[value], totals[value], {names[v]: n for v, n in found.items()})
    for other, shared in found.items():
        outer, inner = value, other
        if shared < NESTED_FRACTION * totals[other]:
            outer, inner = other, value
        if shared >= NESTED_FRACTION * totals[inner]:
            yield _offer(names[outer], names[inner], shared / totals[inner])


def overlap_warning(name: str, total: int, lost: Mapping[str, int]) -> str:
    """Return the warning that voxels of a segment belong to others where segments are merged.

    Args:
        name: of the segment.
        total: number of its voxels.
        lost: number of voxels that belong to each other segment.
    """
    count = sum(lost.values())
    rest = "none is left" if count == total else f"{total - count} are left"
    return (
        f"segment {name} overlaps later segments: {count} of its {total} voxels become "
        f"{', '.join(lost)}, {rest}; move it after them if it is a part of them"
    )


def _offer(outer: str, inner: str, fraction: float) -> str:
    if normalized(outer) == normalized(inner):
        return f"there are two segments {outer}; remove one of them"
    return (
        f"{fraction:.0%} of segment {inner} lies within {outer}; to include {inner} in {outer}, "
        f'use --includes "{outer}={inner}", or "includes": {{"{outer}": ["{inner}"]}} '
        "in cases.json"
    )
