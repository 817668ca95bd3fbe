"""Fingerprints of volumes, which tell the images of one name from each other."""

from __future__ import annotations

import json
import zlib

import numpy as np
import slicer

from GenSegSlicerLib.Geometry import fileIJKToRAS, isPlacedAt
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
    return not stored or volumeNode.GetImageData() is None or stored == contentOf(volumeNode)


def contentOf(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return a fingerprint of a volume's voxels, computed again only after they were modified."""
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
