"""Resampling of a volume to the voxels of another one, without changing the scene."""

from __future__ import annotations

import numpy as np
import slicer
import vtk

from GenSegSlicerLib.Geometry import localIJKToRAS, matrixFromArray, transformBetween, voxelOffset
from GenSegSlicerLib.ImageFiles import imageWithDefaultGeometry
from GenSegSlicerLib.ScalarTypes import withSupportedScalars


def imageOnGridOf(
    node: slicer.vtkMRMLVolumeNode, reference: slicer.vtkMRMLVolumeNode
) -> vtk.vtkImageData:
    """Return the image of a volume at the voxels of another one, by linear interpolation.

    The parent transforms of both are applied, so that a registration counts. Voxels outside the
    volume are 0. An image with the same voxels is returned as it is.
    """
    image = imageWithDefaultGeometry(withSupportedScalars(node.GetImageData()))
    size = reference.GetImageData().GetDimensions()
    toNode = transformBetween(reference, node)
    isSame = node.GetParentTransformNode() is reference.GetParentTransformNode()
    offset = voxelOffset(localIJKToRAS(node), localIJKToRAS(reference), image.GetDimensions())
    if isSame and image.GetDimensions() == size and offset is not None and not offset.any():
        return image
    toIJK = vtk.vtkGeneralTransform()
    toIJK.PostMultiply()
    toIJK.Concatenate(matrixFromArray(localIJKToRAS(reference)))
    toIJK.Concatenate(toNode)
    toIJK.Concatenate(matrixFromArray(np.linalg.inv(localIJKToRAS(node))))
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image)
    reslice.SetResliceTransform(toIJK)
    reslice.SetInterpolationModeToLinear()
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputExtent(*(end for n in size for end in (0, n - 1)))
    reslice.Update()
    return reslice.GetOutput()
