"""Segmentation nodes to label files in the grid of their volume, and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.models.folder import ModelMetadata
from GenSegSlicerLib.Geometry import fileGrid
from GenSegSlicerLib.ImageFiles import writeImage
from GenSegSlicerLib.LabelFiles import orientedImage, readLabelImage
from GenSegSlicerLib.LabelImages import paint
from GenSegSlicerLib.SegmentNodes import (
    MADE_BY,
    SegmentStyle,
    addSegments,
    emptyOver,
    newSegmentation,
)
from GenSegSlicerLib.Segments import Segment, segmentsOf
from GenSegSlicerLib.VolumeFiles import requireScalar


def writeLabel(
    segmentationNode: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    classMap: Mapping[str, str],
    labels: Mapping[int, str],
    path: Path,
    allowEmpty: bool = False,
) -> np.ndarray:
    """Write segments as a label volume that has, voxel for voxel, the grid of the volume's file.

    Closed surfaces are filled with voxels, and the parent transforms of both nodes count; no node
    is changed. Where segments overlap, the one that is later in the node's list wins.

    Args:
        segmentationNode: segmentation node or label map volume.
        volumeNode: the volume that was segmented.
        classMap: the class of each segment name; "" or no entry leaves a segment out.
        labels: voxel values to class names.
        path: of the file to write; its ending says the format.
        allowEmpty: write a label volume of zeros where no voxel of a segment lies in the volume.

    Returns:
        The grid matrix (4, 4) of the file, from voxel indices to RAS mm.

    Raises:
        GenSegError: no segment is mapped, no voxel of one lies in the volume (unless
            `allowEmpty`), or the file cannot be written.
    """
    requireScalar(volumeNode)
    chosen = chooseSegments(segmentationNode, classMap, labels)
    painted = paint(segmentationNode, volumeNode, chosen)
    if not allowEmpty and not painted.any():
        raise GenSegError(
            _("{segmentation}: no voxel of its segments lies in {volume}; pair it rightly").format(
                segmentation=segmentationNode.GetName(), volume=volumeNode.GetName()
            )
        )
    grid = fileGrid(volumeNode)
    writeImage(orientedImage(painted, np.eye(4)), grid, Path(path), compress=True)
    return grid


def chooseSegments(
    node: slicer.vtkMRMLNode, classMap: Mapping[str, str], labels: Mapping[int, str]
) -> list[tuple[Segment, int]]:
    """The segments that are mapped to a class, with the value of that class.

    Raises:
        GenSegError: none is, or a class has no value.
    """
    values = {name: value for value, name in labels.items()}
    chosen = []
    for segment in segmentsOf(node):
        wanted = classMap.get(segment.name, "")
        if wanted and wanted not in values:
            raise GenSegError(
                _("Segment {segment} is mapped to {wanted}, which is no class of the model").format(
                    segment=segment.name, wanted=wanted
                )
            )
        if wanted:
            chosen.append((segment, values[wanted]))
    if not chosen:
        raise GenSegError(
            _("{name}: none of its segments is mapped to a class").format(name=node.GetName())
        )
    return chosen


def loadSegmentation(
    path: Path,
    metadata: ModelMetadata,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    intoNode: slicer.vtkMRMLSegmentationNode | None = None,
    mode: str = "replace",
    writtenGrid: np.ndarray | None = None,
) -> slicer.vtkMRMLSegmentationNode:
    """Load what a model made of a volume, as segments over that volume.

    The segments get the names, colors and terminology of the model, the exact grid of the volume
    and its parent transform. A new node lies beside the volume in the subject hierarchy.

    Args:
        path: of the label volume.
        metadata: of the model.
        volumeNode: the volume that was segmented.
        intoNode: an existing node to fill; None makes one.
        mode: "replace" drops the segments of `intoNode`, "add" keeps them.
        writtenGrid: what `writeVolume` returned; needed only where the volume may have been moved
            since.

    Raises:
        GenSegError: the file cannot be read, or it cannot be added. Then nothing has changed.
    """
    grid = fileGrid(volumeNode) if writtenGrid is None else writtenGrid
    image = readLabelImage(Path(path), volumeNode, grid)
    name = _("{volume} by GenSeg").format(volume=volumeNode.GetName())
    node = intoNode or newSegmentation(volumeNode, name)
    if intoNode is None or mode == "replace":
        emptyOver(node, volumeNode)
        node.SetAttribute(MADE_BY, metadata.name)
    addSegments(node, image, volumeNode, SegmentStyle.ofModel(metadata))
    return node
