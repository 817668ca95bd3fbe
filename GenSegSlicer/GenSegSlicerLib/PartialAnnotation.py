"""Segmentations of which only some slices are drawn, and segments named Ignore and Background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.case_annotation import PLANES, Annotation
from GenSegLib.label_maps import BACKGROUND, IGNORE, special_value
from GenSegSlicerLib.Geometry import fileIJKToRAS
from GenSegSlicerLib.LabelImages import rasterizeSegments
from GenSegSlicerLib.Segments import Segment

ONLY_SLICES_ATTRIBUTE = "GenSeg.OnlySlices"
"""Node attribute with the plane of which only the slices with a segment are drawn."""


def onlySlicesOf(node: slicer.vtkMRMLNode) -> str:
    """Return the plane of which only some slices of a segmentation are drawn, "" if all are."""
    plane = node.GetAttribute(ONLY_SLICES_ATTRIBUTE) or ""
    return plane if plane in PLANES else ""


def annotationOf(node: slicer.vtkMRMLNode) -> Annotation:
    """Return what a segmentation says beyond its voxels."""
    return Annotation(only_slices=onlySlicesOf(node))


def planeChoices() -> list[tuple[str, str, str]]:
    """Return the choices of planes: identifier, text and tooltip."""
    hint = _("Slices of this plane without any segment are ignored: nobody has drawn them.")
    return [
        ("", _("All slices are drawn"), _("Voxels in no segment are background.")),
        ("axial", _("Only some axial slices (red view)"), hint),
        ("coronal", _("Only some coronal slices (green view)"), hint),
        ("sagittal", _("Only some sagittal slices (yellow view)"), hint),
    ]


def rasterizeLabel(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
    layers: Mapping[int, int] | None = None,
) -> np.ndarray:
    """Return a label array (k, j, i) of segments: Ignore lies above all, Background below.

    Among the others, those of inner classes lie above those of outer ones, and else the last one in
    the list wins; see `rasterizeSegments`.

    Args:
        node: the segmentation.
        volumeNode: the volume.
        chosen: segments with the label values of their classes.
        layers: number of classes around a class, by its label value; 0 for others.
    """
    heights = {value: _height(segment, (layers or {}).get(value, 0)) for segment, value in chosen}
    label = rasterizeSegments(node, volumeNode, [])
    for height in sorted(set(heights.values())):
        group = [each for each in chosen if heights[each[1]] == height]
        voxels = rasterizeSegments(node, volumeNode, group)
        label = np.where(voxels != 0, voxels, label)
    return label


def _height(segment: Segment, layer: int) -> float:
    """Height of a segment above the others: -1 for Background, infinity for Ignore."""
    special = {BACKGROUND: -1.0, IGNORE: np.inf}
    return special.get(special_value(segment.name), float(layer))


def annotatedVoxels(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
) -> np.ndarray:
    """Return the voxels (k, j, i) that were annotated, as a mask.

    Args:
        node: the segmentation.
        volumeNode: the volume.
        chosen: all segments with a label value of theirs.
    """
    label = rasterizeLabel(node, volumeNode, chosen)
    ignored = [value for segment, value in chosen if special_value(segment.name) == IGNORE]
    mask = ~np.isin(label, ignored) if ignored else np.ones(label.shape, bool)
    plane = onlySlicesOf(node)
    if plane:
        axis = 2 - _voxelAxis(volumeNode, PLANES[plane])
        others = tuple(other for other in range(3) if other != axis)
        drawn = (label != 0).any(axis=others)
        mask &= np.expand_dims(drawn, others)
    return mask


def _voxelAxis(volumeNode: slicer.vtkMRMLScalarVolumeNode, anatomical: int) -> int:
    """Axis i, j or k (0 to 2) that is closest to an anatomical one (right, anterior, superior)."""
    axes = fileIJKToRAS(volumeNode)[:3, :3]
    directions = np.abs(axes / np.linalg.norm(axes, axis=0))
    return int(directions[anatomical].argmax())
