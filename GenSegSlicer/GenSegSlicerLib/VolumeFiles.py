"""Export and import of volume nodes with their geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegSlicerLib.Arguments import requireVolume
from GenSegSlicerLib.DicomFiles import isDicom, readSeries
from GenSegSlicerLib.Geometry import (
    fileIJKToRAS,
    hasOrthogonalAxes,
    localIJKToRAS,
    matrixFromArray,
    spacingFromMatrix,
)
from GenSegSlicerLib.ImageFiles import imageWithDefaultGeometry, readImage, writeImage
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.SubjectHierarchy import placeInSameFolder


def writeVolume(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, path: Path, compress: bool = False
) -> np.ndarray:
    """Write a volume atomically, in world coordinates; the node is not changed.

    Returns:
        The IJK-to-RAS matrix (4, 4) of the file, see `fileIJKToRAS`.

    Raises:
        GenSegError: the volume is not scalar or has an invalid geometry, or the file cannot be
            written.
    """
    ijkToRAS = fileIJKToRAS(requireScalarVolume(volumeNode))
    writeImage(imageWithDefaultGeometry(volumeNode.GetImageData()), ijkToRAS, Path(path), compress)
    return ijkToRAS


def requireScalarVolume(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return the volume if it can be written.

    Raises:
        GenSegError: it is no volume, or has no voxels, several components per voxel, or an invalid
            geometry.
    """
    name, image = requireVolume(volumeNode).GetName(), volumeNode.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise GenSegError(
            _("{name} has no voxels; load or select another volume").format(name=name)
        )
    if image.GetNumberOfScalarComponents() != 1:
        raise GenSegError(
            _("{name} has {count} components per voxel (RGB or 4-D); extract one of them").format(
                name=name, count=image.GetNumberOfScalarComponents()
            )
        )
    ijkToRAS = fileIJKToRAS(volumeNode)
    if not np.isfinite(ijkToRAS).all() or (spacingFromMatrix(ijkToRAS) <= 0).any():
        raise GenSegError(
            _("{name} has an invalid voxel spacing; correct it in the Volumes module").format(
                name=name
            )
        )
    if not hasOrthogonalAxes(ijkToRAS):
        raise GenSegError(
            _("The axes of {name} are not orthogonal; resample the volume first").format(name=name)
        )
    return volumeNode


def requireFiniteVoxels(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return the volume if all voxels are finite numbers.

    Raises:
        GenSegError: there are NaN or infinite voxels.
    """
    voxels = voxelsOf(volumeNode.GetImageData())
    if voxels.dtype.kind == "f" and not all(np.isfinite(part).all() for part in voxels):
        text = _("{name} contains NaN or infinite voxels; correct or leave out the volume")
        raise GenSegError(text.format(name=volumeNode.GetName()))
    return volumeNode


def loadVolume(path: Path, name: str) -> slicer.vtkMRMLScalarVolumeNode:
    """Load a file or a folder of a DICOM series into the scene; raises as their readers do.

    Volumes from DICOM have no storage node: they are saved with the scene.
    """
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    if isDicom(Path(path)):
        readSeries(node, Path(path))
        slicer.mrmlScene.AddNode(node)
    else:
        storage = readImage(node, Path(path))
        slicer.mrmlScene.AddNode(node)
        slicer.mrmlScene.AddNode(storage)
        node.SetAndObserveStorageNodeID(storage.GetID())
    node.CreateDefaultDisplayNodes()
    return node


def loadDerivedVolume(
    path: Path,
    name: str,
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
    writtenIJKToRAS: np.ndarray,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Load a file that was computed from the file of a volume, aligned with that volume.

    Args:
        path: path of the file, which is not needed afterwards.
        name: name of the new node.
        volumeNode: the volume, whose parent transform the new node gets.
        writtenIJKToRAS: return value of `writeVolume` for the volume.

    Raises:
        GenSegError: see `readImage`.
    """
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(name)
    readImage(node, Path(path))
    toLocal = localIJKToRAS(volumeNode) @ np.linalg.inv(writtenIJKToRAS)
    node.SetIJKToRASMatrix(matrixFromArray(toLocal @ localIJKToRAS(node)))
    slicer.mrmlScene.AddNode(node)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    placeInSameFolder(node, volumeNode)
    return node
