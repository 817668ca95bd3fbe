"""Label arrays of segmentations that are annotated in part, and segments Ignore and Background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import slicer

from GenSegLib.case_annotation import COMPLETE, Annotation
from GenSegLib.checks.annotations import annotation_errors
from GenSegLib.datasets.annotated_voxels import in_annotated_slices
from GenSegLib.errors import GenSegError
from GenSegLib.images.volume import Volume
from GenSegLib.label_maps import BACKGROUND, IGNORE, special_value
from GenSegLib.steps import Steps
from GenSegSlicerLib.Geometry import fileIJKToRAS
from GenSegSlicerLib.LabelImages import rasterizeSteps
from GenSegSlicerLib.PartialAnnotation import annotationOf
from GenSegSlicerLib.SegmentLosses import SegmentLosses
from GenSegSlicerLib.Segments import Segment


def labelSteps(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
    layers: Mapping[int, int] | None = None,
) -> Steps[np.ndarray]:
    """Return a label array (k, j, i) of segments, after steps of about a slice.

    Ignore lies above all, Background below. Among the others, those of inner classes lie above
    those of outer ones, and else the last one in the list wins; see `rasterizeSegments`.

    Args:
        node: the segmentation.
        volumeNode: the volume.
        chosen: segments with the label values of their classes.
        layers: number of classes around a class, by its label value; 0 for others.
    """
    heights = {value: _height(segment, (layers or {}).get(value, 0)) for segment, value in chosen}
    label = yield from rasterizeSteps(node, volumeNode, SegmentLosses([]))
    for height in sorted(set(heights.values())):
        group = [each for each in chosen if heights[each[1]] == height]
        voxels = yield from rasterizeSteps(node, volumeNode, SegmentLosses(group))
        voxels = voxels.astype(np.result_type(label, voxels), copy=False)
        for below, part in zip(label, voxels):
            np.copyto(part, below, where=part == 0)
            yield None
        label = voxels
    return label


def _height(segment: Segment, layer: int) -> float:
    """Height of a segment above the others: -1 for Background, infinity for Ignore."""
    special = {BACKGROUND: -1.0, IGNORE: np.inf}
    return special.get(special_value(segment.name), float(layer))


def annotatedLabelSteps(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
) -> Steps[np.ndarray]:
    """Return a label array (k, j, i) with `IGNORE` where nobody annotated, and 0 in Background.

    Args:
        node: the segmentation.
        volumeNode: the volume.
        chosen: segments with the label values of their classes.
    """
    label = yield from labelSteps(node, volumeNode, chosen)
    label = label.astype(np.int16)
    annotation = annotationOf(node)
    ignored = np.isin(label, _valuesNamed(IGNORE, chosen))
    if annotation.scribbles:
        ignored |= label == 0
    if annotation.only_slices:
        image = Volume(label.T[np.newaxis], fileIJKToRAS(volumeNode))
        ignored |= ~in_annotated_slices((label != 0).T, image, annotation.only_slices).T
    label[np.isin(label, _valuesNamed(BACKGROUND, chosen))] = 0
    label[ignored] = IGNORE
    return label


def annotationProblem(
    node: slicer.vtkMRMLNode,
    label: np.ndarray,
    classes: Mapping[int, str],
    annotation: Annotation,
) -> str:
    """Return in one line what a segmentation says that cannot be, "" if it is consistent.

    Args:
        node: the segmentation.
        label: see `annotatedLabelSteps`.
        classes: names by label value.
        annotation: what the segmentation says, in these names.
    """
    volume = Volume(label.T[np.newaxis], np.eye(4))
    errors = annotation_errors(annotation.of_classes(classes.values()), volume, classes)
    return f"{node.GetName()}: {errors[0]}" if errors else ""


def consistencySteps(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
    classes: Mapping[int, str],
    annotation: Annotation,
) -> Steps[None]:
    """Check what a segmentation says of classes, in these names, against its voxels.

    Raises:
        GenSegError: a class is said to be absent and is drawn, or nothing is annotated.
    """
    if annotation != COMPLETE or _valuesNamed(IGNORE, chosen):
        label = yield from annotatedLabelSteps(node, volumeNode, chosen)
        problem = annotationProblem(node, label, classes, annotation)
        if problem:
            raise GenSegError(problem)


def _valuesNamed(special: int, chosen: Sequence[tuple[Segment, int]]) -> list[int]:
    return [value for segment, value in chosen if special_value(segment.name) == special]
