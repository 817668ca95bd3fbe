"""Resampling of a volume to the voxels of another one, without changing the scene."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.Geometry import (
    isFlat,
    localIJKToRAS,
    matrixFromArray,
    sliceAxis,
    transformBetween,
    voxelOffset,
)
from GenSegSlicerLib.ImageFiles import imageWithDefaultGeometry
from GenSegSlicerLib.ScalarTypes import withSupportedScalars

_SAMPLES = 32  # along an axis, which suffice to see how much two volumes overlap
_LEAST_COVERED = 0.5


def imageOnGridOf(
    node: slicer.vtkMRMLVolumeNode, reference: slicer.vtkMRMLVolumeNode
) -> vtk.vtkImageData:
    """Return the image of a volume at the voxels of another one, by linear interpolation.

    The parent transforms of both are applied, so that a registration counts. Voxels outside the
    volume are 0. An image with the same voxels is returned as it is. Of 2-D images, the distance
    between their planes does not matter.

    Raises:
        GenSegError: they do not overlap.
    """
    image = imageWithDefaultGeometry(withSupportedScalars(node.GetImageData()))
    if _haveSameVoxels(node, reference):
        return image
    size, toIJK = reference.GetImageData().GetDimensions(), _toIJK(node, reference)
    _overlapWarning(node, reference, toIJK)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image)
    reslice.SetResliceTransform(toIJK)
    reslice.SetInterpolationModeToLinear()
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputExtent(*(end for n in size for end in (0, n - 1)))
    reslice.Update()
    return reslice.GetOutput()


def overlapWarnings(volumeNode: slicer.vtkMRMLVolumeNode) -> list[str]:
    """Return a line for each further channel of a volume that covers less than half of it.

    Raises:
        GenSegError: one does not overlap it.
    """
    nodes = (n for n in furtherChannels(volumeNode) if not _haveSameVoxels(n, volumeNode))
    found = [_overlapWarning(node, volumeNode, _toIJK(node, volumeNode)) for node in nodes]
    return [warning for warning in found if warning]


def _overlapWarning(
    node: slicer.vtkMRMLVolumeNode,
    reference: slicer.vtkMRMLVolumeNode,
    toIJK: vtk.vtkGeneralTransform,
) -> str:
    covered = _coveredFraction(node, reference, toIJK)
    names = {"name": node.GetName(), "first": reference.GetName()}
    if not covered:
        text = _("{name} does not overlap {first}, whose further channel it is; register it")
        raise GenSegError(text.format(**names))
    text = _("{name} covers {percent:.0f} % of {first} and is 0 elsewhere; check its position")
    return text.format(percent=100 * covered, **names) if covered < _LEAST_COVERED else ""


def _haveSameVoxels(node: slicer.vtkMRMLVolumeNode, reference: slicer.vtkMRMLVolumeNode) -> bool:
    sizes = [each.GetImageData().GetDimensions() for each in (node, reference)]
    if sizes[0] != sizes[1]:
        return False
    offset = voxelOffset(localIJKToRAS(node), localIJKToRAS(reference), sizes[0])
    isSame = node.GetParentTransformNode() is reference.GetParentTransformNode()
    return isSame and offset is not None and not offset.any()


def _toIJK(
    node: slicer.vtkMRMLVolumeNode, reference: slicer.vtkMRMLVolumeNode
) -> vtk.vtkGeneralTransform:
    """Return the transform from voxels of the reference to those of a volume."""
    toIJK = vtk.vtkGeneralTransform()
    toIJK.PostMultiply()
    toIJK.Concatenate(matrixFromArray(localIJKToRAS(reference)))
    toIJK.Concatenate(transformBetween(reference, node))
    toIJK.Concatenate(matrixFromArray(np.linalg.inv(localIJKToRAS(node))))
    if isFlat(node) and isFlat(reference):
        center = np.divide(reference.GetImageData().GetDimensions(), 2) - 0.5
        distance, axis = np.zeros(3), sliceAxis(node)
        distance[axis] = -toIJK.TransformPoint(center)[axis]
        toIJK.Translate(distance)
    return toIJK


def _coveredFraction(
    node: slicer.vtkMRMLVolumeNode,
    reference: slicer.vtkMRMLVolumeNode,
    toIJK: vtk.vtkGeneralTransform,
) -> float:
    """Return the fraction of evenly spaced voxels of the reference that lie within a volume."""
    size = reference.GetImageData().GetDimensions()
    axes = [np.linspace(0, n - 1, min(n, _SAMPLES)) for n in size]
    samples, moved = vtk.vtkPoints(), vtk.vtkPoints()
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    samples.SetData(numpy_to_vtk(grid, deep=True))
    toIJK.TransformPoints(samples, moved)
    indices = vtk_to_numpy(moved.GetData())
    last = np.array(node.GetImageData().GetDimensions()) - 0.5
    return float(((indices >= -0.5) & (indices <= last)).all(axis=1).mean())
