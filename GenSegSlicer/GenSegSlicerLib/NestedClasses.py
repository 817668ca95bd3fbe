"""Classes that lie within others, such as a tumor within the liver: where segments overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.label_maps import special_value
from GenSegLib.nesting import Includes, direct_includes
from GenSegLib.steps import Steps
from GenSegSlicerLib.LabelImages import rasterizeSteps
from GenSegSlicerLib.SegmentLosses import SegmentLosses
from GenSegSlicerLib.Segments import Segment, isSegmentation, isSurface
from GenSegSlicerLib.TrainingPair import TrainingPair, usedPairs

_WITHIN = 0.95  # fraction of a class's voxels, as on the command line


def mayOverlap(node: slicer.vtkMRMLNode) -> bool:
    """Return whether segments may overlap: not those of a label map, or of one binary labelmap."""
    if not isSegmentation(node):
        return False
    return isSurface(node) or node.GetSegmentation().GetNumberOfLayers() > 1


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
    return direct_includes(nested for pair in usedPairs(pairs) for nested in pair.nested)


def nestedText(includes: Includes) -> str:
    """Return the offer to train classes as nested ones, "" if there are none."""
    parts = [
        _("{inner} within {outer}").format(inner=", ".join(inner), outer=outer)
        for outer, inner in includes.items()
    ]
    return _("Nested classes: {parts}").format(parts="; ".join(parts)) if parts else ""
