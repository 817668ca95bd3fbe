"""Fingerprints of volumes, which distinguish images of the same name."""

from __future__ import annotations

import json
import zlib

import numpy as np
import slicer

from GenSegSlicerLib.Channels import furtherChannels
from GenSegSlicerLib.Geometry import (
    fileIJKToRAS,
    isPlacedAt,
    linearMatrix,
    localIJKToRAS,
    transformBetween,
)
from GenSegSlicerLib.Segments import voxelsOf

CONTENT_ATTRIBUTE = "GenSeg.Content"
"""Attribute of volumes that the loop has loaded: the fingerprint of their file's voxels; and of
segmentations: that of the voxels with which they were opened or checked."""

MATRIX_ATTRIBUTE = "GenSeg.Matrix"
"""Attribute of volumes that the loop has loaded: IJK-to-RAS matrix of their file, rows as JSON."""

# Fingerprints of volumes by node ID, with the modification time of the voxels.
_contents: dict[str, tuple[int, str]] = {}


def markAsLoaded(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Store with a volume how its file is."""
    volumeNode.SetAttribute(CONTENT_ATTRIBUTE, contentOf(volumeNode))
    volumeNode.SetAttribute(MATRIX_ATTRIBUTE, json.dumps(fileIJKToRAS(volumeNode).ravel().tolist()))


def isAsLoaded(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Return whether voxels and position of a volume are those of its file."""
    if volumeNode.GetAttribute(CONTENT_ATTRIBUTE) != contentOf(volumeNode):
        return False
    return isPlacedAt(volumeNode, json.loads(volumeNode.GetAttribute(MATRIX_ATTRIBUTE) or "[]"))


def isMadeFor(
    segmentationNode: slicer.vtkMRMLNode, volumeNode: slicer.vtkMRMLScalarVolumeNode
) -> bool:
    """Return whether a segmentation was opened or checked with a volume's voxels of now.

    Those of another frame of a sequence are others. True if it is unknown.
    """
    stored = segmentationNode.GetAttribute(CONTENT_ATTRIBUTE)
    if not stored or volumeNode.GetImageData() is None:
        return True
    return firstChannel(stored) == firstChannel(contentOf(volumeNode))


def contentOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return a fingerprint of the voxels of a volume and its further channels, where they lie.

    It is computed again only after they were modified.
    """
    parts = [_voxelsOf(volumeNode)]
    for node in furtherChannels(volumeNode):
        if node.GetImageData() is not None:
            parts.append(f"{_voxelsOf(node)}-{_position(node, volumeNode):08x}")
    return "+".join(parts)


def firstChannel(content: str) -> str:
    """Return the part of a fingerprint that identifies an image: channels may be added to it."""
    return content.partition("+")[0]


def _voxelsOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    image, key = volumeNode.GetImageData(), volumeNode.GetID()
    if key is None:  # not in a scene
        return _fingerprint(voxelsOf(image))
    version = image.GetMTime()
    if _contents.get(key, (None, ""))[0] != version:
        _contents[key] = version, _fingerprint(voxelsOf(image))
    return _contents[key][1]


def _fingerprint(voxels: np.ndarray) -> str:
    size = "x".join(str(length) for length in voxels.shape[::-1])
    return f"{size}-{zlib.crc32(np.ascontiguousarray(voxels).data):08x}"


def _position(
    node: slicer.vtkMRMLScalarVolumeNode, reference: slicer.vtkMRMLScalarVolumeNode
) -> int:
    """Checksum of where a channel lies on another one, in 1/100 voxels; 0 for warped ones."""
    matrix = linearMatrix(transformBetween(node, reference))
    if matrix is None:
        return 0
    toReference = np.linalg.inv(localIJKToRAS(reference)) @ matrix @ localIJKToRAS(node)
    return zlib.crc32((np.rint(toReference * 100) + 0.0).data)  # + 0.0: no negative zeros
