"""Table nodes: volumes of segments, and scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Geometry import linearMatrix, localGrid, transformBetween
from GenSegSlicerLib.LabelImages import imageGrid, labelImage, paint
from GenSegSlicerLib.Segments import Segment, countValues, isSurface, segmentsOf, voxelsOf
from GenSegSlicerLib.SubjectHierarchy import placeBeside

_MM3_IN_ML = 1000
_DIGITS = 4


def volumesTable(
    segmentationNodes: Sequence[slicer.vtkMRMLSegmentationNode], name: str
) -> slicer.vtkMRMLTableNode:
    """Make a table of the segments' volumes in ml and voxels, beside the first segmentation.

    Volumes are those in the world: a parent transform that scales counts. Closed surfaces are
    measured in the voxels of their reference volume. Of several segmentations each row names its
    own.

    Raises:
        GenSegError: there are closed surfaces and no reference volume, or a segment without
            voxels.
    """
    rows = [
        (node.GetName(), segment.name, volume, count)
        for node in segmentationNodes
        for segment, (volume, count) in _measured(node)
    ]
    titles = (_("Segmentation"), _("Segment"), _("Volume (ml)"), _("Voxels"))
    table = _newTable(segmentationNodes[0].GetScene(), name)
    for k in range(0 if len(segmentationNodes) > 1 else 1, len(titles)):
        table.AddColumn(_column(titles[k], [row[k] for row in rows]))
    placeBeside(table, segmentationNodes[0])
    return table


def scoresTable(scores: Sequence[Mapping[str, Any]], name: str) -> slicer.vtkMRMLTableNode:
    """Make a table of scores, a row for each; the columns are the entries of the first row.

    Texts stay texts, numbers become numbers, and None becomes an empty place (NaN).
    """
    titles = {
        "case": _("Case"),
        "name": _("Segment"),
        "segment": _("Segment"),
        "label": _("Label"),
        "dice": _("Dice"),
        "hd95_mm": _("HD95 (mm)"),
        "surface_dice": _("Surface Dice (1 mm)"),
        "volume_error_ml": _("Volume difference (ml)"),
    }
    table = _newTable(slicer.mrmlScene, name)
    for key in scores[0] if scores else ():
        table.AddColumn(_column(titles.get(key, key), [row.get(key) for row in scores]))
    return table


def _newTable(scene: slicer.vtkMRMLScene, name: str) -> slicer.vtkMRMLTableNode:
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    table.SetUseColumnTitleAsColumnHeader(True)
    return table


def _column(title: str, values: Sequence[Any]) -> vtk.vtkAbstractArray:
    if any(isinstance(value, str) for value in values):
        column = vtk.vtkStringArray()
        values = ["" if value is None else str(value) for value in values]
    elif values and all(isinstance(value, int) for value in values):
        column = vtk.vtkLongLongArray()
    else:
        column = vtk.vtkDoubleArray()
        values = [
            float("nan") if value is None else round(float(value), _DIGITS) for value in values
        ]
    column.SetName(title)
    for value in values:
        column.InsertNextValue(value)
    return column


def _measured(
    node: slicer.vtkMRMLSegmentationNode,
) -> list[tuple[Segment, tuple[float, int]]]:
    """Each segment with its volume in ml and its voxels."""
    segments = segmentsOf(node)
    measure = _measureSurfaces if isSurface(node) else _measureVoxels
    return list(zip(segments, measure(node, segments)))


def _measureVoxels(
    node: slicer.vtkMRMLSegmentationNode, segments: Sequence[Segment]
) -> list[tuple[float, int]]:
    measured = []
    counts: dict[slicer.vtkOrientedImageData, dict[int, int]] = {}
    for segment in segments:
        item = node.GetSegmentation().GetSegment(segment.key)
        image = labelImage(item, node)
        if image not in counts:  # segments share images
            counts[image] = countValues(voxelsOf(image))
        count = counts[image].get(item.GetLabelValue(), 0)
        measured.append((count * _voxelMl(imageGrid(image), node), count))
    return measured


def _measureSurfaces(
    node: slicer.vtkMRMLSegmentationNode, segments: Sequence[Segment]
) -> list[tuple[float, int]]:
    volumeNode = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    if volumeNode is None or volumeNode.GetImageData() is None:
        raise GenSegError(
            _("{name} has closed surfaces and no reference volume to count voxels in").format(
                name=node.GetName()
            )
        )
    voxel = _voxelMl(localGrid(volumeNode), volumeNode)
    counts = [int(paint(node, volumeNode, [(segment, 1)]).sum()) for segment in segments]
    return [(count * voxel, count) for count in counts]


def _voxelMl(grid: np.ndarray, node: slicer.vtkMRMLTransformableNode) -> float:
    """The volume of a voxel in the world; a warp is left out of account."""
    toWorld = linearMatrix(transformBetween(node, None))
    grid = grid if toWorld is None else toWorld @ grid
    return float(abs(np.linalg.det(grid[:3, :3]))) / _MM3_IN_ML
