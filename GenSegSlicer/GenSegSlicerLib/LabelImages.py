"""Rasterization of segments in the geometry of a volume, without changing the scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.images.label_resampling import resample_label_steps
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.Geometry import (
    arrayFromMatrix,
    linearMatrix,
    localIJKToRAS,
    matrixFromArray,
    transformBetween,
    voxelOffset,
)
from GenSegSlicerLib.ScalarTypes import withSupportedScalars
from GenSegSlicerLib.SegmentLosses import SegmentLosses
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

    Args:
        node: segmentation node or label map volume.
        volumeNode: the volume.
        chosen: segments, and the label value of each.

    Raises:
        GenSegError: a segment has neither a binary labelmap nor a closed surface.
    """
    return finish(rasterizeSteps(node, volumeNode, SegmentLosses(chosen)))


def rasterizeSteps(
    node: slicer.vtkMRMLNode, volumeNode: slicer.vtkMRMLScalarVolumeNode, losses: SegmentLosses
) -> Steps[np.ndarray]:
    """Return what `rasterizeSegments` returns for the segments of `losses`, slice by slice."""
    values = {segment.key: value for segment, value in losses.chosen}
    size = volumeNode.GetImageData().GetDimensions()
    dtype = np.uint8 if max(values.values(), default=0) <= 255 else np.int16
    labels = np.zeros(size[::-1], dtype)
    resampled: dict[slicer.vtkOrientedImageData, _Labelmap] = {}
    for valueOf, source in _layers(node, values):
        if isSegmentation(node) and isSurface(node):
            voxels, position = _rasterizeSurface(source, node, volumeNode)
        else:
            if source not in resampled:
                resampled[source] = yield from _resampleToVolume(source, node, volumeNode)
            voxels, position = resampled[source]
        table = _tableOf(valueOf, dtype)
        for part, target in zip(voxels, labels[position]):  # slices, since copies are large
            drawn = table.take(_integers(part), mode="clip")
            mask = drawn > 0
            losses.add(target[mask], drawn[mask])
            np.copyto(target, drawn, where=mask)
            yield None
    return labels


def lossWarnings(node: slicer.vtkMRMLNode, losses: SegmentLosses) -> list[str]:
    """Return what segments that are not empty have lost, with the numbers of voxels."""
    text = _("segment {name} covers less than half of each voxel and is lost")
    missing = [segment for segment in losses.withoutVoxels() if hasVoxels(node, segment)]
    return [*losses.warnings(), *(text.format(name=segment.name) for segment in missing)]


def _tableOf(valueOf: Mapping[int, int], dtype: type) -> np.ndarray:
    """Return the new value of each stored one; the last entry is for all that are larger."""
    table: np.ndarray = np.zeros(max(valueOf, default=0) + 2, dtype)
    table[list(valueOf)] = list(valueOf.values())
    return table


def _integers(voxels: np.ndarray) -> np.ndarray:
    """Return voxels that can be looked up; those that are not whole numbers belong to nothing."""
    if voxels.dtype.kind in "iu":
        return voxels
    return np.where(voxels == np.rint(voxels), voxels, 0).astype(np.int32)


def _layers(
    node: slicer.vtkMRMLNode, values: Mapping[str | int, int]
) -> Iterator[tuple[dict[int, int], vtk.vtkDataSet]]:
    """Yield what segments are drawn from, in their order, with the new value of each stored one."""
    if not isSegmentation(node):
        valueOf = {int(key): value for key, value in values.items() if int(key) > 0}
        yield valueOf, _orientedCopy(node)
        return
    valueOf = {}
    current = None  # successive segments that share a labelmap are drawn together
    for key in (segment.key for segment in segmentsOf(node) if segment.key in values):
        segment = node.GetSegmentation().GetSegment(key)
        if isSurface(node):
            yield {1: values[key]}, segment.GetRepresentation(SURFACE)
            continue
        image = binaryLabelmap(segment, node)
        if image is not current and valueOf:
            yield valueOf, current
        valueOf = valueOf if image is current else {}
        valueOf[segment.GetLabelValue()] = values[key]
        current = image
    if valueOf:
        yield valueOf, current


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
    """Return whether a segment is not empty, wherever it is."""
    if not isSegmentation(node):
        return True
    item = node.GetSegmentation().GetSegment(segment.key)
    if isSurface(node):
        surface = item.GetRepresentation(SURFACE)
        return surface is not None and surface.GetNumberOfCells() > 1
    voxels, value = voxelsOf(binaryLabelmap(item, node)), item.GetLabelValue()
    return any(bool((part == value).any()) for part in voxels)  # slices, since copies are large


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
) -> Steps[_Labelmap]:
    """Crop a labelmap to a volume if the voxel grids coincide, otherwise resample it.

    Each voxel gets the label that covers most of it, as in the library; through nonlinear
    transforms, it gets that of the nearest voxel.
    """
    if image.GetNumberOfPoints() == 0:
        return _EMPTY
    transform = transformBetween(node, volumeNode)
    offset = _offsetInVolume(image, transform, volumeNode)
    if offset is not None:
        return _crop(voxelsOf(image), offset, volumeNode)
    between = linearMatrix(transform)
    if between is not None:
        return (yield from _resampleLinearly(image, between, volumeNode))
    resampled = slicer.vtkOrientedImageData()
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        withSupportedScalars(image),
        referenceGeometryImage(volumeNode),
        resampled,
        False,
        False,
        transform,
    )
    return _crop(voxelsOf(resampled), np.zeros(3), volumeNode)


def _resampleLinearly(
    image: slicer.vtkOrientedImageData,
    between: np.ndarray,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> Steps[_Labelmap]:
    size = volumeNode.GetImageData().GetDimensions()
    toImage = np.linalg.inv(between @ imageIJKToRAS(image)) @ localIJKToRAS(volumeNode)
    labels = yield from resample_label_steps(voxelsOf(image).T, size, toImage)
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
    surface: vtk.vtkPolyData,
    node: slicer.vtkMRMLSegmentationNode,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> _Labelmap:
    """Convert a closed surface to a labelmap in the voxel grid of the volume."""
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
