"""The current image of a volume node, not copied unless it has further channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from GenSegLib.images.volume import Volume
from GenSegSlicerLib.Channels import channelNodes, channelsOf, furtherChannels
from GenSegSlicerLib.Geometry import fileIJKToRAS, localIJKToRAS
from GenSegSlicerLib.Resampling import imageOnGridOf
from GenSegSlicerLib.ScalarTypes import supportedVoxels
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.VolumeFiles import isStack, requireUsableVolume


@dataclass(frozen=True)
class Frame:
    """An image of a volume node.

    Attributes:
        image: the voxels (channel, i, j, k) in the geometry of the node's files; the node's own
            unless it has further channels.
        ijkToRAS: of the node at that time, without its parent transform.
    """

    image: Volume
    ijkToRAS: np.ndarray


def frameOf(
    volumeNode: slicer.vtkMRMLVolumeNode,
    further: Sequence[slicer.vtkMRMLVolumeNode] | None = None,
) -> Frame:
    """Return the current image of a scalar or vector volume with its further channels.

    Args:
        volumeNode: the volume.
        further: its further channels; those of the scene by default.

    Raises:
        GenSegError: see `requireUsableVolume` and `imageOnGridOf`.
    """
    array = _channelsOf(requireUsableVolume(volumeNode).GetImageData())
    others = furtherChannels(volumeNode) if further is None else further
    if others:
        images = [imageOnGridOf(requireUsableVolume(node), volumeNode) for node in others]
        array = np.concatenate([array, *map(_channelsOf, images)])
    image = Volume(array, fileIJKToRAS(volumeNode), is_stack=isStack(volumeNode))
    return Frame(image, localIJKToRAS(volumeNode))


def frameState(volumeNode: slicer.vtkMRMLVolumeNode) -> Any:
    """Return a value that changes whenever voxels or geometry of a volume or its channels do."""
    return [_stateOf(node) for node in channelNodes(volumeNode)]


def _channelsOf(image: vtk.vtkImageData) -> np.ndarray:
    """Return the voxels (channel, i, j, k) of an image without transparency."""
    voxels = supportedVoxels(voxelsOf(image))
    return voxels.reshape(*voxels.shape[:3], -1)[..., : channelsOf(image)].transpose(3, 2, 1, 0)


def _stateOf(volumeNode: slicer.vtkMRMLVolumeNode) -> tuple[object, ...]:
    image = volumeNode.GetImageData()
    scalars = None if image is None else image.GetPointData().GetScalars()
    times = tuple(0 if part is None else part.GetMTime() for part in (image, scalars))
    geometry = () if image is None else tuple(localIJKToRAS(volumeNode).ravel())
    return (*times, *geometry, volumeNode.GetTransformNodeID())
