"""Tells whether a pair can be learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.data.volume_ranges import volumes_in
from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Geometry import fileGrid, spacingOf
from GenSegSlicerLib.LabelImages import paint
from GenSegSlicerLib.SegmentationFiles import chooseSegments
from GenSegSlicerLib.SegmentClasses import labelsOf
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.TrainingPair import TrainingPair
from GenSegSlicerLib.VolumeFiles import requireScalar

OK = "ok"
_FINEST_MM, _COARSEST_MM = 0.005, 30.0


def checkPair(
    pair: TrainingPair, classMap: Mapping[str, str], others: Sequence[TrainingPair] = ()
) -> str:
    """Give "ok", or in one line why a pair cannot be learned from; notes its volumes.

    Args:
        pair: the pair to check.
        classMap: the class of each segment name.
        others: all pairs of the table, in which a volume may be only once; `pair` may be among
            them, and pairs with the role "ignore" do not count.
    """
    try:
        _checkVolume(pair.volumeNode)
        _checkTwice(pair, others)
        _checkSegments(pair, classMap)
    except GenSegError as fault:
        return str(fault)
    return OK


def _checkVolume(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    name = requireScalar(volumeNode).GetName()
    spacing = spacingOf(fileGrid(volumeNode))
    if spacing.min() < _FINEST_MM or spacing.max() > _COARSEST_MM:
        text = " × ".join(f"{step:.4g}" for step in spacing)
        raise GenSegError(
            _(
                "{name} has voxels of {spacing} mm; correct its spacing in the Volumes module"
            ).format(name=name, spacing=text)
        )
    voxels = voxelsOf(volumeNode.GetImageData())
    if voxels.dtype.kind == "f" and not all(np.isfinite(part).all() for part in voxels):
        raise GenSegError(
            _("{name} has voxels that are not a number; mend or leave out the volume").format(
                name=name
            )
        )
    low, high = volumeNode.GetImageData().GetScalarRange()
    if low == high:
        raise GenSegError(
            _("{name} is empty: every voxel is {value:g}").format(name=name, value=low)
        )


def _checkTwice(pair: TrainingPair, others: Sequence[TrainingPair]) -> None:
    if pair.volumeNode is pair.segmentationNode:
        raise GenSegError(
            _("{name} is its own segmentation; choose another volume").format(
                name=pair.volumeNode.GetName()
            )
        )
    for other in others:
        if other is not pair and "ignore" not in (other.role, pair.role):
            _checkSame(pair, other)


def _checkSame(pair: TrainingPair, other: TrainingPair) -> None:
    if other.volumeNode is pair.volumeNode:
        raise GenSegError(
            _("{name} is there twice, also with {segmentation}; remove one of the pairs").format(
                name=pair.volumeNode.GetName(), segmentation=other.segmentationNode.GetName()
            )
        )


def _checkSegments(pair: TrainingPair, classMap: Mapping[str, str]) -> None:
    node, labels = pair.segmentationNode, labelsOf(classMap)
    painted = paint(node, pair.volumeNode, chooseSegments(node, classMap, labels))
    pair.volumes = dict(volumes_in(painted, labels, spacingOf(fileGrid(pair.volumeNode))))
    if not any(pair.volumes.values()):
        raise GenSegError(
            _("{segmentation} has no voxel in {volume}: it is empty, or lies elsewhere").format(
                segmentation=node.GetName(), volume=pair.volumeNode.GetName()
            )
        )
