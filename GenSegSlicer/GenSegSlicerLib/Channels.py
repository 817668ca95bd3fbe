"""Channels of volumes: components of vector images, and further volumes such as T2 beside T1.

Further volumes are node references of the first one, so that they are saved with the scene. Where
there are none, volumes named like files of nnU-Net (`a_0000`, `a_0001`) are channels of one image,
unless they are in color or segmented on their own, as the photos of a camera (`IMG_0000`) are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from GenSegLib.images.volume import COLORS, is_gray_in_color
from GenSegSlicerLib.Segments import voxelsOf

_ROLE = "GenSegChannel"
_FIRST = "_0000"  # of nnU-Net's file names
_MOST = 8
_COLOR_TYPES = (vtk.VTK_UNSIGNED_CHAR, vtk.VTK_UNSIGNED_SHORT)
_SCALAR = "vtkMRMLScalarVolumeNode"  # no color image or label map, whose classes derive from it


def furtherChannels(volumeNode: slicer.vtkMRMLVolumeNode) -> list[slicer.vtkMRMLVolumeNode]:
    """Return the volumes that are further channels of a volume, without it."""
    count = volumeNode.GetNumberOfNodeReferences(_ROLE)
    referenced = [volumeNode.GetNthNodeReference(_ROLE, index) for index in range(count)]
    return [node for node in referenced if node is not None] or _namedChannels(volumeNode)


def channelNodes(volumeNode: slicer.vtkMRMLVolumeNode) -> list[slicer.vtkMRMLVolumeNode]:
    """Return a volume and its further channels."""
    return [volumeNode, *furtherChannels(volumeNode)]


def setFurtherChannels(
    volumeNode: slicer.vtkMRMLVolumeNode, channels: Sequence[slicer.vtkMRMLVolumeNode]
) -> None:
    """Make other volumes the further channels of a volume."""
    volumeNode.RemoveNodeReferenceIDs(_ROLE)
    for node in channels:
        if node is not volumeNode:
            volumeNode.AddNodeReferenceID(_ROLE, node.GetID())


def imageTitle(volumeNode: slicer.vtkMRMLVolumeNode) -> str:
    """Return the names of a volume and its further channels."""
    return " + ".join(node.GetName() for node in channelNodes(volumeNode))


def _namedChannels(volumeNode: slicer.vtkMRMLVolumeNode) -> list[slicer.vtkMRMLVolumeNode]:
    name, scene = volumeNode.GetName() or "", volumeNode.GetScene()
    if scene is None or not name.endswith(_FIRST) or volumeNode.GetClassName() != _SCALAR:
        return []
    stem, found = name[: -len(_FIRST)], []
    for number in range(1, _MOST):
        node = scene.GetFirstNodeByName(f"{stem}_{number:04d}")
        if node is None or node.GetClassName() != _SCALAR:
            break
        found.append(node)
    return [] if any(map(_isSegmented, found)) else found


def _isSegmented(volumeNode: slicer.vtkMRMLVolumeNode) -> bool:
    """Whether a segmentation refers to a volume."""
    nodes = slicer.util.getNodesByClass("vtkMRMLSegmentationNode", volumeNode.GetScene())
    role, own = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole(), volumeNode
    return any(node.GetNodeReferenceID(role) == own.GetID() for node in nodes)


def totalChannels(volumeNode: slicer.vtkMRMLVolumeNode) -> int:
    """Return the number of channels of a volume with its further channels."""
    return sum(map(channelCount, channelNodes(volumeNode)))


def isGrayInColor(volumeNode: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether a volume without further channels is gray, but stored in color."""
    if totalChannels(volumeNode) != COLORS or furtherChannels(volumeNode):
        return False
    colors = voxelsOf(volumeNode.GetImageData())[..., :COLORS]
    return is_gray_in_color(np.moveaxis(colors, -1, 0))


def channelCount(volumeNode: slicer.vtkMRMLVolumeNode) -> int:
    """Return the number of channels; transparency is none."""
    return channelsOf(volumeNode.GetImageData())


def channelsOf(image: vtk.vtkImageData) -> int:
    """Return the number of channels of an image; transparency is none."""
    return int(image.GetNumberOfScalarComponents()) - hasTransparency(image)


def hasTransparency(image: vtk.vtkImageData) -> bool:
    """Return whether the last component of an image is its transparency.

    That is so of RGBA images in 8 or 16 bits. Of two components, which may be channels, the second
    one is a transparency if it is opaque everywhere.
    """
    count = image.GetNumberOfScalarComponents()
    if image.GetScalarType() not in _COLOR_TYPES or count not in (2, 4):
        return False
    alpha = voxelsOf(image)[..., -1]
    return count == 4 or bool((alpha == np.iinfo(alpha.dtype).max).all())


def withoutTransparency(image: vtk.vtkImageData) -> vtk.vtkImageData:
    """Return a copy of an image without its transparency, and other images as they are."""
    if not hasTransparency(image):
        return image
    copy = image.NewInstance()
    copy.ShallowCopy(image)
    colors = voxelsOf(image)[..., :-1]
    copy.GetPointData().SetScalars(numpy_to_vtk(colors.reshape(-1, colors.shape[-1]), deep=True))
    return copy
