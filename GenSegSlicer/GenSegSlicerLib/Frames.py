"""The current image of a volume node, without copying it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from GenSegLib.images.volume import Volume
from GenSegSlicerLib.Channels import channelCount
from GenSegSlicerLib.Geometry import fileIJKToRAS, localIJKToRAS
from GenSegSlicerLib.ScalarTypes import supportedVoxels
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.VolumeFiles import requireUsableVolume


@dataclass(frozen=True)
class Frame:
    """An image of a volume node.

    Attributes:
        image: the voxels (channel, i, j, k), those of the node, in the geometry of its files.
        ijkToRAS: of the node at that time, without its parent transform.
    """

    image: Volume
    ijkToRAS: np.ndarray


def frameOf(volumeNode: slicer.vtkMRMLVolumeNode) -> Frame:
    """Return the current image of a scalar or vector volume.

    Raises:
        GenSegError: see `requireUsableVolume`.
    """
    requireUsableVolume(volumeNode)
    voxels = supportedVoxels(voxelsOf(volumeNode.GetImageData()))
    voxels = voxels.reshape(*voxels.shape[:3], -1)[..., : channelCount(volumeNode)]
    image = Volume(voxels.transpose(3, 2, 1, 0), fileIJKToRAS(volumeNode))
    return Frame(image, localIJKToRAS(volumeNode))


def frameState(volumeNode: slicer.vtkMRMLVolumeNode) -> Any:
    """Return a value that changes whenever voxels or geometry of a volume do."""
    image = volumeNode.GetImageData()
    scalars = None if image is None else image.GetPointData().GetScalars()
    times = tuple(0 if part is None else part.GetMTime() for part in (image, scalars))
    geometry = () if image is None else tuple(localIJKToRAS(volumeNode).ravel())
    return (*times, *geometry, volumeNode.GetTransformNodeID())
