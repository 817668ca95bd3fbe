"""Table nodes of segment volumes and of evaluation scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.images.label_counts import label_counts
from GenSegSlicerLib.Geometry import isFlat, linearMatrix, localIJKToRAS, transformBetween
from GenSegSlicerLib.LabelImages import binaryLabelmap, imageIJKToRAS, rasterizeSegments
from GenSegSlicerLib.Segments import Segment, isSurface, segmentsOf, voxelsOf
from GenSegSlicerLib.SubjectHierarchy import placeInSameFolder
from GenSegSlicerLib.Units import areaOfMl, areaUnit, unitOf

_MM3_IN_ML = 1000
_DIGITS = 4
_MEASURED_ATTRIBUTE = "GenSeg.VolumesOf"  # IDs of the segmentation nodes


def volumesTable(
    segmentationNodes: Sequence[slicer.vtkMRMLSegmentationNode], name: str
) -> slicer.vtkMRMLTableNode:
    """Create a table of segment volumes in ml and voxels, or update that of the same nodes.

    Segments of 2-D images have areas in square millimeters, or pixels where there is no spacing.
    Each quantity has a column, which is empty in the rows of others. Volumes are measured in world
    coordinates, that is with the parent transform. Closed surfaces are measured in the voxels of
    their reference volume. Tables of several segmentations have a column for their names.

    Raises:
        GenSegError: closed surfaces have no reference volume, or a segment has no binary labelmap.
    """
    flat = [_flatReference(node) for node in segmentationNodes]
    sizes = [_sizeTitle(volumeNode) for volumeNode in flat]
    owner, counted = _("Segmentation"), _("Pixels") if all(flat) else _("Voxels")
    rows = []
    for node, volumeNode, size in zip(segmentationNodes, flat, sizes):
        for segment, (volume, count) in _measured(node):
            value = volume if volumeNode is None else areaOfMl(volume, volumeNode)
            texts = {owner: node.GetName(), _("Segment"): segment.name}
            rows.append({**texts, size: value, counted: count})
    table = _volumesTableOf(segmentationNodes, name)
    owners = [owner] if len(segmentationNodes) > 1 else []
    for title in (*owners, _("Segment"), *dict.fromkeys(sizes), counted):
        table.AddColumn(_column(title, [row.get(title) for row in rows]))
    placeInSameFolder(table, segmentationNodes[0])
    return table


def scoresTable(scores: Sequence[Mapping[str, Any]], name: str) -> slicer.vtkMRMLTableNode:
    """Create a table of scores; the columns are the keys of the first row, None becomes NaN."""
    titles = {
        "case": _("Case"),
        "name": _("Segment"),
        "segment": _("Segment"),
        "label": _("Label"),
        "dice": _("Dice"),
        "hd95_mm": _("HD95 (mm)"),
        "surface_dice": _("Surface Dice (1 mm)"),
        "volume_error_ml": _("Volume difference (ml)"),
        "hd95_px": _("HD95 (px)"),
        "surface_dice_mm": _("Surface Dice (1 mm)"),
        "surface_dice_px": _("Surface Dice (1 px)"),
        "area_error_mm": _("Area difference (mm\N{SUPERSCRIPT TWO})"),
        "area_error_px": _("Area difference (px)"),
    }
    table = _newTable(slicer.mrmlScene, name)
    for key in scores[0] if scores else ():
        table.AddColumn(_column(titles.get(key, key), [row.get(key) for row in scores]))
    return table


def _flatReference(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLVolumeNode | None:
    """The reference volume of a segmentation if it is a 2-D image."""
    volumeNode = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    return volumeNode if volumeNode is not None and isFlat(volumeNode) else None


def _sizeTitle(volumeNode: slicer.vtkMRMLVolumeNode | None) -> str:
    """The title of sizes in a 2-D image, or in a volume if it is None."""
    if volumeNode is None:
        return _("Volume (ml)")
    return _("Area ({unit})").format(unit=areaUnit(unitOf(volumeNode)))


def _newTable(scene: slicer.vtkMRMLScene, name: str) -> slicer.vtkMRMLTableNode:
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    table.SetUseColumnTitleAsColumnHeader(True)
    return table


def _volumesTableOf(
    segmentationNodes: Sequence[slicer.vtkMRMLSegmentationNode], name: str
) -> slicer.vtkMRMLTableNode:
    """The table that an earlier result in the same nodes got, without its columns, or a new one."""
    scene = segmentationNodes[0].GetScene()
    key = " ".join(node.GetID() for node in segmentationNodes)
    for index in range(scene.GetNumberOfNodesByClass("vtkMRMLTableNode")):
        table = scene.GetNthNodeByClass(index, "vtkMRMLTableNode")
        if table.GetAttribute(_MEASURED_ATTRIBUTE) == key:
            table.RemoveAllColumns()
            return table
    table = _newTable(scene, scene.GenerateUniqueName(name))
    table.SetAttribute(_MEASURED_ATTRIBUTE, key)
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
    """Each segment with its volume in ml and its number of voxels."""
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
        image = binaryLabelmap(item, node)
        if image not in counts:  # segments may share a labelmap
            counts[image] = label_counts(voxelsOf(image))
        count = counts[image].get(item.GetLabelValue(), 0)
        measured.append((count * _voxelMl(imageIJKToRAS(image), node), count))
    return measured


def _measureSurfaces(
    node: slicer.vtkMRMLSegmentationNode, segments: Sequence[Segment]
) -> list[tuple[float, int]]:
    volumeNode = node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())
    if volumeNode is None or volumeNode.GetImageData() is None:
        raise GenSegError(
            _("{name} has closed surfaces but no reference volume to measure them in").format(
                name=node.GetName()
            )
        )
    voxel = _voxelMl(localIJKToRAS(volumeNode), volumeNode)
    counts = [
        int(rasterizeSegments(node, volumeNode, [(segment, 1)]).sum()) for segment in segments
    ]
    return [(count * voxel, count) for count in counts]


def _voxelMl(ijkToRAS: np.ndarray, node: slicer.vtkMRMLTransformableNode) -> float:
    """Volume of a voxel in ml in world coordinates; nonlinear transforms are ignored."""
    toWorld = linearMatrix(transformBetween(node, None))
    ijkToRAS = ijkToRAS if toWorld is None else toWorld @ ijkToRAS
    return float(abs(np.linalg.det(ijkToRAS[:3, :3]))) / _MM3_IN_ML
