"""The voxel grid in which two segmentations are compared."""

from __future__ import annotations

from itertools import product

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Geometry import (
    arrayFromMatrix,
    linearMatrix,
    matrixFromArray,
    transformBetween,
)
from GenSegSlicerLib.Segments import BINARY, isSegmentation


def commonGrid(
    reference: slicer.vtkMRMLNode, prediction: slicer.vtkMRMLNode
) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume whose grid both are to be written in.

    It is the volume that the reference was drawn on, or the prediction; where neither is known,
    an empty one in no scene, with the reference's own voxels, large enough for both.

    Raises:
        GenSegError: there are closed surfaces only, and no volume whose voxels they could take.
    """
    for node in (reference, prediction):
        volumeNode = _volumeOf(node)
        if volumeNode is not None and volumeNode.GetImageData() is not None:
            return volumeNode
    image = _ownGrid(reference)
    toWorld = linearMatrix(transformBetween(reference, None))
    if image is None or toWorld is None:
        raise GenSegError(
            _(
                "{name} has no reference volume to compare in; choose one as source geometry in "
                "the Segment Editor"
            ).format(name=reference.GetName())
        )
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    grid = toWorld @ arrayFromMatrix(matrix)
    return _emptyVolume(grid, _extentOfBoth(grid, image.GetExtent(), prediction))


def _volumeOf(node: slicer.vtkMRMLNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    if not isSegmentation(node):
        return node
    return node.GetNodeReference(node.GetReferenceImageGeometryReferenceRole())


def _ownGrid(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkOrientedImageData | None:
    segmentation = node.GetSegmentation()
    if not segmentation.ContainsRepresentation(BINARY):
        return None
    mode = segmentation.EXTENT_UNION_OF_SEGMENTS
    image = slicer.vtkOrientedImageData()
    text = segmentation.DetermineCommonLabelmapGeometry(mode, None)
    if not slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, image, False):
        return None
    return image


def _extentOfBoth(
    grid: np.ndarray, extent: tuple[int, ...], prediction: slicer.vtkMRMLNode
) -> tuple[np.ndarray, np.ndarray]:
    """First and last index of the grid that covers an extent and a node's bounds in the world."""
    bounds = [0.0] * 6
    prediction.GetRASBounds(bounds)
    first, last = np.array(extent[::2]), np.array(extent[1::2])
    if bounds[0] <= bounds[1]:
        corners = np.array([[*point, 1] for point in product(*zip(bounds[::2], bounds[1::2]))])
        indices = (np.linalg.inv(grid) @ corners.T)[:3]
        first = np.minimum(first, np.floor(indices.min(axis=1))).astype(int)
        last = np.maximum(last, np.ceil(indices.max(axis=1))).astype(int)
    return first, last


def _emptyVolume(
    grid: np.ndarray, extent: tuple[np.ndarray, np.ndarray]
) -> slicer.vtkMRMLScalarVolumeNode:
    first, last = extent
    start = np.eye(4)
    start[:3, 3] = first
    image = vtk.vtkImageData()
    image.SetDimensions(*(int(length) for length in last - first + 1))
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    volumeNode = slicer.vtkMRMLScalarVolumeNode()
    volumeNode.SetName("grid")
    volumeNode.SetAndObserveImageData(image)
    volumeNode.SetIJKToRASMatrix(matrixFromArray(grid @ start))
    return volumeNode
