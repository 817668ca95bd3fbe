"""Segments as voxels in the grid of a volume; no node is changed and none is made in the scene."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.ClosedSurfaces import fillSurface
from GenSegSlicerLib.Geometry import (
    arrayFromMatrix,
    linearMatrix,
    localGrid,
    matrixFromArray,
    transformBetween,
    voxelShift,
)
from GenSegSlicerLib.Segments import (
    BINARY,
    SURFACE,
    Segment,
    isSegmentation,
    isSurface,
    segmentsOf,
    voxelsOf,
)

# Voxels (k, j, i), and the place in the volume's array that they take.
_Layer = tuple[np.ndarray, tuple[slice, ...]]
_NOTHING: _Layer = (np.zeros((0, 0, 0), np.uint8), (slice(0, 0),) * 3)


def paint(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
) -> np.ndarray:
    """Paint segments with label values into an array (k, j, i) in the grid of a volume.

    The parent transforms of both nodes count. Where segments overlap, the one that is later in
    the node's list wins, as in Slicer's own export. Closed surfaces are filled with voxels.

    Raises:
        GenSegError: a segment has no representation that can become voxels.
    """
    values = {segment.key: value for segment, value in chosen}
    size = volumeNode.GetImageData().GetDimensions()
    kind = np.uint8 if max(values.values(), default=0) <= 255 else np.int16
    painted = np.zeros(size[::-1], kind)
    for key, stored, (voxels, place) in _onGrid(node, volumeNode, values.keys()):
        np.copyto(painted[place], kind(values[key]), where=voxels == stored)
    return painted


def _onGrid(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    keys: Collection[str | int],
) -> Iterator[tuple[str | int, int, _Layer]]:
    """Give, in the order of the list, each key, the value that its voxels have, and the voxels."""
    if not isSegmentation(node):
        layer = _align(_oriented(node), node, volumeNode)
        yield from ((key, int(key), layer) for key in keys)
        return
    aligned: dict[slicer.vtkOrientedImageData, _Layer] = {}
    for key in (segment.key for segment in segmentsOf(node) if segment.key in keys):
        segment = node.GetSegmentation().GetSegment(key)
        if isSurface(node):
            yield key, 1, _rasterize(segment, node, volumeNode)
            continue
        image = labelImage(segment, node)
        if image not in aligned:  # segments share images
            aligned[image] = _align(image, node, volumeNode)
        yield key, segment.GetLabelValue(), aligned[image]


def labelImage(
    segment: slicer.vtkSegment, node: slicer.vtkMRMLSegmentationNode
) -> slicer.vtkOrientedImageData:
    """The image that a segment shares with others.

    Raises:
        GenSegError: it has none, such as one that was made of contours.
    """
    image = segment.GetRepresentation(BINARY)
    if image is None:
        raise GenSegError(
            _(
                "{name}: segment {segment} has no voxels; create its binary labelmap in the "
                "Segmentations module"
            ).format(name=node.GetName(), segment=segment.GetName())
        )
    return image


def _oriented(node: slicer.vtkMRMLVolumeNode) -> slicer.vtkOrientedImageData:
    image = slicer.vtkOrientedImageData()
    image.ShallowCopy(node.GetImageData())
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _align(
    image: slicer.vtkOrientedImageData,
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> _Layer:
    """Bring an image of a node into a volume's grid: cut where the grids coincide, else nearest."""
    if image.GetNumberOfPoints() == 0:
        return _NOTHING
    transform = transformBetween(node, volumeNode)
    shift = _shiftOf(image, transform, volumeNode)
    if shift is not None:
        return _cut(voxelsOf(image), shift, volumeNode)
    resampled = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, gridImage(volumeNode), resampled, False, False, transform
    )
    return _cut(voxelsOf(resampled), np.zeros(3), volumeNode)


def _shiftOf(
    image: slicer.vtkOrientedImageData,
    transform: vtk.vtkGeneralTransform,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> np.ndarray | None:
    between = linearMatrix(transform)
    if between is None:
        return None
    grid = between @ imageGrid(image)
    return voxelShift(grid, localGrid(volumeNode), image.GetDimensions())


def imageGrid(image: slicer.vtkOrientedImageData) -> np.ndarray:
    """The grid matrix of an oriented image, from the array's own first voxel."""
    matrix, start = vtk.vtkMatrix4x4(), np.eye(4)
    image.GetImageToWorldMatrix(matrix)
    start[:3, 3] = image.GetExtent()[::2]
    return arrayFromMatrix(matrix) @ start


def _cut(
    voxels: np.ndarray, shift: np.ndarray, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> _Layer:
    """The part of voxels (k, j, i) that lies in the volume when moved by `shift` (i, j, k)."""
    sizes = volumeNode.GetImageData().GetDimensions()[::-1]
    place, part = [], []
    for axis, size in enumerate(sizes):
        offset = int(shift[2 - axis])
        low = max(offset, 0)
        high = max(low, min(offset + voxels.shape[axis], size))
        place.append(slice(low, high))
        part.append(slice(low - offset, high - offset))
    return voxels[tuple(part)], tuple(place)


def gridImage(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkOrientedImageData:
    """An image without voxels that has the grid of a volume, before its parent transform."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*_extentOf(volumeNode))
    image.SetGeometryFromImageToWorldMatrix(matrixFromArray(localGrid(volumeNode)))
    return image


def _extentOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> list[int]:
    return [end for n in volumeNode.GetImageData().GetDimensions() for end in (0, n - 1)]


def _rasterize(
    segment: slicer.vtkSegment,
    node: slicer.vtkMRMLSegmentationNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> _Layer:
    """Fill a closed surface by Slicer's own conversion, in the voxel indices of the volume."""
    surface = segment.GetRepresentation(SURFACE)
    if surface is None or surface.GetNumberOfCells() < 2:
        return _NOTHING
    toIndices = transformBetween(node, volumeNode)
    toIndices.PostMultiply()
    toIndices.Concatenate(matrixFromArray(np.linalg.inv(localGrid(volumeNode))))
    mover = vtk.vtkTransformPolyDataFilter()
    mover.SetInputData(surface)
    mover.SetTransform(toIndices)
    mover.Update()
    image = fillSurface(mover.GetOutput(), _extentOf(volumeNode))
    if image is None:
        return _NOTHING
    return _cut(voxelsOf(image), np.array(image.GetExtent()[::2]), volumeNode)
