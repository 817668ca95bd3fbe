"""Closed surfaces of segmentations, those of large ones at reduced resolution.

Slicer makes surfaces from all voxels and does not respond meanwhile: 18 s for a result of 12 liters
in 512 x 512 x 400 voxels, and 0.3 s for one of many small parts. Its other method, surface nets
with their own smoothing, takes a tenth of that, and voxels of large segmentations are merged.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from GenSegLib.images.label_resampling import labeled_box_steps, resample_label_steps
from GenSegLib.steps import Steps
from GenSegSlicerLib.ImageFiles import orientedImage
from GenSegSlicerLib.LabelImages import binaryLabelmap, imageIJKToRAS
from GenSegSlicerLib.Segments import BINARY, SURFACE, voxelsOf

_LARGE_VOXELS = 2_000_000  # the surface of a ball of as many takes 0.05 s
_COARSE_VOXELS = 500_000
_METHOD = {"Conversion method": "1", "SurfaceNets smoothing": "1"}


def isLarge(segmentationNode: slicer.vtkMRMLSegmentationNode) -> bool:
    """Return whether Slicer would not respond for a while when it makes surfaces of all voxels."""
    return _labeledVoxels(segmentationNode) > _LARGE_VOXELS


def surfaceSteps(segmentationNode: slicer.vtkMRMLSegmentationNode) -> Steps[None]:
    """Add a closed surface to each segment that has none, one after another.

    The voxels remain as they are, but surfaces of large segmentations are made from larger ones:
    they are merged until about 500,000 are labeled, along the finest axes first.
    """
    isCoarse = isLarge(segmentationNode)
    factor = _labeledVoxels(segmentationNode) / _COARSE_VOXELS if isCoarse else 1.0
    segmentation = segmentationNode.GetSegmentation()
    keys = [segmentation.GetNthSegmentID(k) for k in range(segmentation.GetNumberOfSegments())]
    images: dict[slicer.vtkOrientedImageData, slicer.vtkOrientedImageData] = {}
    surfaces = []
    for segment in map(segmentation.GetSegment, keys):
        if segment.GetRepresentation(SURFACE) is None:
            image = binaryLabelmap(segment, segmentationNode)
            if image not in images:  # segments may share a labelmap
                images[image] = image
                if isCoarse:
                    images[image] = yield from _largerVoxelSteps(image, factor)
            own = yield from _segmentSteps(images[image], segment.GetLabelValue())
            surface = _surfaceOf(own, segmentation)
            yield None
            surfaces.append((segment, _withNormals(surface)))
            yield None
    for segment, surface in surfaces:  # all have the same representations
        segment.AddRepresentation(SURFACE, surface)


def _segmentSteps(
    image: slicer.vtkOrientedImageData, value: int
) -> Steps[slicer.vtkOrientedImageData]:
    """Return the voxels of a label value as 1 in an image of their own, cropped to them.

    Surface nets turn triangles around where another value is next to it.
    """
    voxels, ijkToRAS = voxelsOf(image), imageIJKToRAS(image)
    own = np.zeros(voxels.shape, bool)
    for part, target in zip(voxels, own):
        np.equal(part, value, out=target)
        yield None
    found = yield from labeled_box_steps(own)
    ends = np.array([(0, 1)] * 3) if found is None else found
    ijkToRAS[:3, 3] = (ijkToRAS @ [*ends[::-1, 0], 1.0])[:3]
    return orientedImage(own[tuple(slice(*end) for end in ends)].astype(np.uint8), ijkToRAS)


def _surfaceOf(image: slicer.vtkOrientedImageData, like: slicer.vtkSegmentation) -> vtk.vtkPolyData:
    """Return the closed surface of a binary image, made by Slicer's surface nets."""
    segment, segmentation = slicer.vtkSegment(), slicer.vtkSegmentation()
    segment.AddRepresentation(BINARY, image)
    segmentation.SetSourceRepresentationName(BINARY)
    segmentation.CopyConversionParameters(like)
    for name, method in _METHOD.items():
        segmentation.SetConversionParameter(name, method)
    segmentation.AddSegment(segment, "segment")
    segmentation.CreateRepresentation(SURFACE)
    return segmentation.GetSegment("segment").GetRepresentation(SURFACE)


def _withNormals(surface: vtk.vtkPolyData) -> vtk.vtkPolyData:
    """Return a surface that is displayed smoothly; Slicer adds no normals to surface nets."""
    filter = vtk.vtkPolyDataNormals()
    filter.SetInputData(surface)
    filter.SplittingOff()
    filter.ConsistencyOff()  # surface nets are consistent; checking takes ten times as long
    filter.Update()
    return filter.GetOutput()


def _labeledVoxels(segmentationNode: slicer.vtkMRMLSegmentationNode) -> int:
    segmentation = segmentationNode.GetSegmentation()
    segments = [segmentation.GetNthSegment(k) for k in range(segmentation.GetNumberOfSegments())]
    images = {segment.GetRepresentation(BINARY) for segment in segments} - {None}
    return sum(int(np.count_nonzero(voxelsOf(image))) for image in images)


def _largerVoxelSteps(
    image: slicer.vtkOrientedImageData, factor: float
) -> Steps[slicer.vtkOrientedImageData]:
    """Return an image whose voxels are about `factor` times as large, nearly cubes."""
    ijkToRAS, voxels = imageIJKToRAS(image), voxelsOf(image)
    spacing = np.linalg.norm(ijkToRAS[:3, :3], axis=0)
    side = (factor * spacing.prod()) ** (1 / 3)
    steps = np.maximum(1, np.rint(side / spacing)).astype(int)
    toFine = np.diag([*steps, 1.0])
    toFine[:3, 3] = (steps - 1) / 2
    size = tuple(-(-count // step) for count, step in zip(voxels.shape[::-1], steps))
    label = yield from resample_label_steps(voxels.T, size, toFine)
    return orientedImage(label.T, ijkToRAS @ toFine)
