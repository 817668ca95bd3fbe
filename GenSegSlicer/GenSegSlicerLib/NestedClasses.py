"""Classes that lie within others, such as a tumor within the liver: where segments overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.label_maps import special_value
from GenSegLib.nesting import Includes
from GenSegLib.steps import Steps
from GenSegSlicerLib.LabelImages import rasterizeSteps
from GenSegSlicerLib.SegmentLosses import SegmentLosses
from GenSegSlicerLib.Segments import Segment
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs

_WITHIN = 0.95  # fraction of a class's voxels, as on the command line


def nestedSteps(
    node: slicer.vtkMRMLSegmentationNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
    names: Mapping[int, str],
) -> Steps[list[tuple[str, str]]]:
    """Return which classes of a segmentation lie within a larger one: outer and inner class.

    Args:
        node: the segmentation.
        volumeNode: the volume.
        chosen: segments with the label values of their classes.
        names: classes by label value.
    """
    classes = {value for _segment, value in chosen if not special_value(names[value])}
    masks = {}
    for each in classes:
        group = [(segment, value) for segment, value in chosen if value == each]
        label = yield from rasterizeSteps(node, volumeNode, SegmentLosses(group))
        masks[each] = label > 0
    sizes = {value: int(np.count_nonzero(mask)) for value, mask in masks.items()}
    found = []
    for outer, inner in permutations(sorted(masks), 2):
        if 0 < sizes[inner] < sizes[outer]:
            yield None
            common = np.count_nonzero(masks[outer] & masks[inner])
            found += [(names[outer], names[inner])] if common >= _WITHIN * sizes[inner] else []
    return found


def includesOf(pairs: Sequence[TrainingPair]) -> dict[str, tuple[str, ...]]:
    """Return the classes within each class, of all pairs that are used."""
    return directIncludes(nested for pair in usedPairs(pairs) for nested in pair.nested)


def directIncludes(nested: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the classes directly within each class, of outer and inner ones in `nested`."""
    found = set(nested)
    direct = {
        (outer, inner)
        for outer, inner in found
        if not any((outer, middle) in found and (middle, inner) in found for _o, middle in found)
        and (inner, outer) not in found
    }
    outers = dict.fromkeys(outer for outer, _inner in sorted(direct))
    return {
        outer: tuple(inner for each, inner in sorted(direct) if each == outer) for outer in outers
    }


def nestedText(includes: Includes) -> str:
    """Return the offer to train classes as nested ones, "" if there are none."""
    parts = [
        _("{inner} within {outer}").format(inner=", ".join(inner), outer=outer)
        for outer, inner in includes.items()
    ]
    return _("Nested classes: {parts}").format(parts="; ".join(parts)) if parts else ""
