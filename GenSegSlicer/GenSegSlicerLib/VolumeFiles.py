"""Volume nodes to files and back, so that they lie where they lay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Geometry import (
    fileGrid,
    hasRightAngles,
    localGrid,
    matrixFromArray,
    spacingOf,
)
from GenSegSlicerLib.ImageFiles import imageFromZero, readImage, writeImage
from GenSegSlicerLib.SubjectHierarchy import placeBeside


def writeVolume(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, path: Path, compress: bool = False
) -> np.ndarray:
    """Write a volume as it lies in the world, whole or not at all; the node stays as it is.

    Returns:
        The grid matrix (4, 4) of the file, from voxel indices to RAS mm (see `fileGrid`).

    Raises:
        GenSegError: the volume has no scalar voxels or no valid grid, or the file cannot be
            written.
    """
    grid = fileGrid(requireScalar(volumeNode))
    writeImage(imageFromZero(volumeNode.GetImageData()), grid, Path(path), compress)
    return grid


def requireScalar(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode:
    """Give a volume back that can be written.

    Raises:
        GenSegError: it has no voxels, several values a voxel, or a grid that no file can have.
    """
    name, image = volumeNode.GetName(), volumeNode.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise GenSegError(
            _("{name} has no voxels; load or choose another volume").format(name=name)
        )
    if image.GetNumberOfScalarComponents() != 1:
        raise GenSegError(
            _("{name} has {count} values a voxel (RGB or 4-D?); extract one channel of it").format(
                name=name, count=image.GetNumberOfScalarComponents()
            )
        )
    grid = fileGrid(volumeNode)
    if not np.isfinite(grid).all() or (spacingOf(grid) <= 0).any():
        raise GenSegError(
            _("{name} has no valid voxel spacing; correct it in the Volumes module").format(
                name=name
            )
        )
    if not hasRightAngles(grid):
        raise GenSegError(
            _("The axes of {name} are not at right angles; resample the volume first").format(
                name=name
            )
        )
    return volumeNode


def loadVolume(path: Path, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Load a file or a DICOM series folder into the scene; `readImage` says what is raised."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    storage = readImage(node, Path(path))
    slicer.mrmlScene.AddNode(node)
    slicer.mrmlScene.AddNode(storage)
    node.SetAndObserveStorageNodeID(storage.GetID())
    node.CreateDefaultDisplayNodes()
    return node


def loadVolumeOver(
    path: Path,
    name: str,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    writtenGrid: np.ndarray,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Load a file that was made from the file of a volume, so that it lies over that volume.

    Args:
        path: of the file.
        name: of the new node, which does not depend on the file any more.
        volumeNode: the volume; its parent transform becomes that of the new node.
        writtenGrid: what `writeVolume` returned for the volume.

    Raises:
        GenSegError: see `readImage`.
    """
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    readImage(node, Path(path))
    toLocal = localGrid(volumeNode) @ np.linalg.inv(writtenGrid)
    node.SetIJKToRASMatrix(matrixFromArray(toLocal @ localGrid(node)))
    slicer.mrmlScene.AddNode(node)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    placeBeside(node, volumeNode)
    return node
