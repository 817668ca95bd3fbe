"""Rasterization of segments in the geometry of a volume, without changing the scene."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.images.label_placement import resample_label
from GenSegSlicerLib.Geometry import (
    arrayFromMatrix,
    linearMatrix,
    localIJKToRAS,
    matrixFromArray,
    transformBetween,
    voxelOffset,
)
from GenSegSlicerLib.ScalarTypes import withSupportedScalars
from GenSegSlicerLib.Segments import (
    BINARY,
    SURFACE,
    Segment,
    isSegmentation,
    isSurface,
    segmentsOf,
    voxelsOf,
)

_CROP_PARAMETER = "Crop to reference image geometry"
# Voxels (k, j, i), and their position in the array of the volume.
_Labelmap = tuple[np.ndarray, tuple[slice, ...]]
_EMPTY: _Labelmap = (np.zeros((0, 0, 0), np.uint8), (slice(0, 0),) * 3)


def rasterizeSegments(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    chosen: Sequence[tuple[Segment, int]],
) -> np.ndarray:
    """Return a label array (k, j, i) of segments in the geometry of a volume.

    The parent transforms of both nodes are applied. Where segments overlap, the last one in the
    list wins, as in Slicer's own export. Closed surfaces are converted to binary labelmaps.

    Raises:
        GenSegError: a segment has neither a binary labelmap nor a closed surface.
    """
    values = {segment.key: value for segment, value in chosen}
    size = volumeNode.GetImageData().GetDimensions()
    dtype = np.uint8 if max(values.values(), default=0) <= 255 else np.int16
    labels = np.zeros(size[::-1], dtype)
    for key, stored, (voxels, position) in _resampledSegments(node, volumeNode, values.keys()):
        np.copyto(labels[position], dtype(values[key]), where=voxels == stored)
    return labels


def _resampledSegments(
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    keys: Collection[str | int],
) -> Iterator[tuple[str | int, int, _Labelmap]]:
    """Yield key, label value and resampled labelmap of each segment, in list order."""
    if not isSegmentation(node):
        labelmap = _resampleToVolume(_orientedCopy(node), node, volumeNode)
        yield from ((key, int(key), labelmap) for key in keys)
        return
    resampled: dict[slicer.vtkOrientedImageData, _Labelmap] = {}
    for key in (segment.key for segment in segmentsOf(node) if segment.key in keys):
        segment = node.GetSegmentation().GetSegment(key)
        if isSurface(node):
            yield key, 1, _rasterizeSurface(segment, node, volumeNode)
            continue
        image = binaryLabelmap(segment, node)
        if image not in resampled:  # segments may share a labelmap
            resampled[image] = _resampleToVolume(image, node, volumeNode)
        yield key, segment.GetLabelValue(), resampled[image]


def binaryLabelmap(
    segment: slicer.vtkSegment, node: slicer.vtkMRMLSegmentationNode
) -> slicer.vtkOrientedImageData:
    """Return the binary labelmap of a segment, which it may share with others.

    Raises:
        GenSegError: it has none, for example if it was created from contours.
    """
    image = segment.GetRepresentation(BINARY)
    if image is None:
        raise GenSegError(
            _(
                "{name}: segment {segment} has no binary labelmap; create it in the Segmentations "
                "module"
            ).format(name=node.GetName(), segment=segment.GetName())
        )
    return image


def hasVoxels(node: slicer.vtkMRMLNode, segment: Segment) -> bool:
    """Return whether a segment has voxels of its own; closed surfaces have none."""
    if not isSegmentation(node):
        return True
    if isSurface(node):
        return False
    item = node.GetSegmentation().GetSegment(segment.key)
    return bool((voxelsOf(binaryLabelmap(item, node)) == item.GetLabelValue()).any())


def _orientedCopy(node: slicer.vtkMRMLVolumeNode) -> slicer.vtkOrientedImageData:
    image = slicer.vtkOrientedImageData()
    image.ShallowCopy(node.GetImageData())
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _resampleToVolume(
    image: slicer.vtkOrientedImageData,
    node: slicer.vtkMRMLNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> _Labelmap:
    """Crop a labelmap to a volume if the voxel grids coincide, otherwise resample it.

    Each voxel gets the label that covers most of it, as in the library; through nonlinear
    transforms, it gets that of the nearest voxel.
    """
    if image.GetNumberOfPoints() == 0:
        return _EMPTY
    image = withSupportedScalars(image)
    transform = transformBetween(node, volumeNode)
    offset = _offsetInVolume(image, transform, volumeNode)
    if offset is not None:
        return _crop(voxelsOf(image), offset, volumeNode)
    between = linearMatrix(transform)
    if between is not None:
        return _resampleLinearly(image, between, volumeNode)
    resampled = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        image, referenceGeometryImage(volumeNode), resampled, False, False, transform
    )
    return _crop(voxelsOf(resampled), np.zeros(3), volumeNode)


def _resampleLinearly(
    image: slicer.vtkOrientedImageData,
    between: np.ndarray,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> _Labelmap:
    size = volumeNode.GetImageData().GetDimensions()
    toImage = np.linalg.inv(between @ imageIJKToRAS(image)) @ localIJKToRAS(volumeNode)
    labels = resample_label(voxelsOf(image).T, size, toImage)
    return labels.T, (slice(None),) * 3


def _offsetInVolume(
    image: slicer.vtkOrientedImageData,
    transform: vtk.vtkGeneralTransform,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> np.ndarray | None:
    between = linearMatrix(transform)
    if between is None:
        return None
    ijkToRAS = between @ imageIJKToRAS(image)
    return voxelOffset(ijkToRAS, localIJKToRAS(volumeNode), image.GetDimensions())


def imageIJKToRAS(image: slicer.vtkOrientedImageData) -> np.ndarray:
    """Return the image-to-world matrix; (0, 0, 0) is the first array voxel."""
    matrix, start = vtk.vtkMatrix4x4(), np.eye(4)
    image.GetImageToWorldMatrix(matrix)
    start[:3, 3] = image.GetExtent()[::2]
    return arrayFromMatrix(matrix) @ start


def _crop(
    voxels: np.ndarray, offset: np.ndarray, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> _Labelmap:
    """Crop voxels (k, j, i) with an `offset` (i, j, k) to the extent of the volume."""
    sizes = volumeNode.GetImageData().GetDimensions()[::-1]
    position, part = [], []
    for axis, size in enumerate(sizes):
        start = int(offset[2 - axis])
        low = max(start, 0)
        high = max(low, min(start + voxels.shape[axis], size))
        position.append(slice(low, high))
        part.append(slice(low - start, high - start))
    return voxels[tuple(part)], tuple(position)


def referenceGeometryImage(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> slicer.vtkOrientedImageData:
    """Return an image without voxels in the geometry of a volume, without parent transform."""
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*_extentOf(volumeNode))
    image.SetGeometryFromImageToWorldMatrix(matrixFromArray(localIJKToRAS(volumeNode)))
    return image


def _extentOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> list[int]:
    return [end for n in volumeNode.GetImageData().GetDimensions() for end in (0, n - 1)]


def _rasterizeSurface(
    segment: slicer.vtkSegment,
    node: slicer.vtkMRMLSegmentationNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> _Labelmap:
    """Convert a closed surface to a labelmap in the voxel grid of the volume."""
    surface = segment.GetRepresentation(SURFACE)
    if surface is None or surface.GetNumberOfCells() < 2:
        return _EMPTY
    toIJK = transformBetween(node, volumeNode)
    toIJK.PostMultiply()
    toIJK.Concatenate(matrixFromArray(np.linalg.inv(localIJKToRAS(volumeNode))))
    transformer = vtk.vtkTransformPolyDataFilter()
    transformer.SetInputData(surface)
    transformer.SetTransform(toIJK)
    transformer.Update()
    image = surfaceToLabelmap(transformer.GetOutput(), _extentOf(volumeNode))
    if image is None:
        return _EMPTY
    return _crop(voxelsOf(image), np.array(image.GetExtent()[::2]), volumeNode)


def surfaceToLabelmap(
    surface: vtk.vtkPolyData, extent: list[int]
) -> slicer.vtkOrientedImageData | None:
    """Convert a surface to a binary labelmap with Slicer's converter; None if it is outside.

    Args:
        surface: closed surface with points in voxel indices.
        extent: first and last index along i, j and k, to which the labelmap is cropped.
    """
    bounds = surface.GetBounds()
    if any(bounds[k] > extent[k + 1] or bounds[k + 1] < extent[k] for k in (0, 2, 4)):
        return None
    reference = slicer.vtkOrientedImageData()
    reference.SetExtent(*extent)
    segment = slicer.vtkSegment()
    segment.AddRepresentation(SURFACE, surface)
    segmentation = slicer.vtkSegmentation()
    segmentation.SetSourceRepresentationName(SURFACE)
    segmentation.AddSegment(segment, "segment")
    converter = slicer.vtkSegmentationConverter
    geometry = converter.SerializeImageGeometry(reference)
    parameter = converter.GetReferenceImageGeometryParameterName()
    segmentation.SetConversionParameter(parameter, geometry)
    segmentation.SetConversionParameter(_CROP_PARAMETER, "1")
    segmentation.CreateRepresentation(BINARY)
    return segmentation.GetSegment("segment").GetRepresentation(BINARY)
