"""Closed surfaces filled with voxels."""

from __future__ import annotations

import slicer
import vtk

from GenSegSlicerLib.Segments import BINARY, SURFACE

_CROP = "Crop to reference image geometry"


def fillSurface(surface: vtk.vtkPolyData, extent: list[int]) -> slicer.vtkOrientedImageData | None:
    """The voxels in a surface, by Slicer's own conversion; None where it is outside.

    Args:
        surface: closed, with its points in voxel indices.
        extent: first and last index along i, j and k, to which the voxels are confined.
    """
    ends = surface.GetBounds()
    if any(ends[k] > extent[k + 1] or ends[k + 1] < extent[k] for k in (0, 2, 4)):
        return None
    grid = slicer.vtkOrientedImageData()
    grid.SetExtent(*extent)
    segment = slicer.vtkSegment()
    segment.AddRepresentation(SURFACE, surface)
    copy = slicer.vtkSegmentation()
    copy.SetSourceRepresentationName(SURFACE)
    copy.AddSegment(segment, "segment")
    converter = slicer.vtkSegmentationConverter
    geometry = converter.SerializeImageGeometry(grid)
    copy.SetConversionParameter(converter.GetReferenceImageGeometryParameterName(), geometry)
    copy.SetConversionParameter(_CROP, "1")
    copy.CreateRepresentation(BINARY)
    return copy.GetSegment("segment").GetRepresentation(BINARY)
