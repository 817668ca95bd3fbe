"""Export and import of volume nodes with their geometry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GenSegLib.dicom.files import is_planar_file
from GenSegLib.errors import GenSegError
from GenSegLib.images.nrrd_files import is_in_pixels, is_stack_file
from GenSegLib.images.volume import MAX_CHANNELS
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.Arguments import requireVolume
from GenSegSlicerLib.Channels import channelCount, furtherChannels, withoutTransparency
from GenSegSlicerLib.DicomFiles import isReadByLibrary, readByLibrary
from GenSegSlicerLib.Geometry import (
    fileIJKToRAS,
    hasOrthogonalAxes,
    isFlat,
    localIJKToRAS,
    matrixFromArray,
    spacingFromMatrix,
)
from GenSegSlicerLib.ImageFiles import (
    SeveralComponents,
    imageWithDefaultGeometry,
    newVolumeNode,
    readImage,
    setVolume,
    writeImageSteps,
)
from GenSegSlicerLib.Resampling import imageOnGridOf
from GenSegSlicerLib.Segments import voxelsOf
from GenSegSlicerLib.SubjectHierarchy import placeInSameFolder
from GenSegSlicerLib.Units import UNIT_ATTRIBUTE, unitOf

DERIVED_ATTRIBUTE = "GenSeg.Derived"
"""Node attribute of volumes that were computed from others: the ID of the other volume."""

STACK_ATTRIBUTE = "GenSeg.Stack"
"""Node attribute of volumes whose slices are 2-D images of their own: the frames of a clip."""


def isStack(volumeNode: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether the slices of a volume are 2-D images of their own.

    A clip that Slicer's own reader has loaded is known by its file.
    """
    if volumeNode.GetImageData().GetDimensions()[2] == 1:
        return False
    if volumeNode.GetAttribute(STACK_ATTRIBUTE) == "true":
        return True
    storage = volumeNode.GetStorageNode()
    if storage is None or storage.GetNumberOfFileNames() > 1:
        return False
    path = Path(storage.GetFileName() or "")
    return path.is_file() and _isStackFile(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _isStackFile(path: Path, version: int) -> bool:
    """Return whether a file is of frames; it is read again when its version has changed."""
    return is_planar_file(path) or is_stack_file(path)


def isPlanar(volumeNode: slicer.vtkMRMLVolumeNode) -> bool:
    """Return whether a volume is a 2-D image or several."""
    return isFlat(volumeNode) or isStack(volumeNode)


def writeVolume(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, path: Path, compress: bool = False
) -> np.ndarray:
    """Write a volume atomically, in world coordinates; the node is not changed.

    Returns:
        The IJK-to-RAS matrix (4, 4) of the file, see `fileIJKToRAS`.

    Raises:
        GenSegError: see `requireUsableVolume`; or the file cannot be written.
    """
    return finish(writeVolumeSteps(volumeNode, path, compress))


def writeVolumeSteps(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, path: Path, compress: bool = False, unit: str = ""
) -> Steps[np.ndarray]:
    """Do what `writeVolume` does, see `writeImageSteps`; the unit is the node's by default."""
    ijkToRAS = fileIJKToRAS(requireUsableVolume(volumeNode))
    image = imageWithDefaultGeometry(withoutTransparency(volumeNode.GetImageData()))
    details = (compress, isStack(volumeNode), unit or unitOf(volumeNode))
    yield from writeImageSteps(image, ijkToRAS, Path(path), *details)
    return ijkToRAS


def writeChannels(volumeNode: slicer.vtkMRMLScalarVolumeNode, paths: Sequence[Path]) -> np.ndarray:
    """Write a volume and its further channels at the voxels of the first one.

    Args:
        volumeNode: the volume.
        paths: a file for it and one for each of its further channels.

    Returns:
        The IJK-to-RAS matrix (4, 4) of the files.

    Raises:
        GenSegError: see `writeVolume`.
    """
    return finish(writeChannelsSteps(volumeNode, paths))


def writeChannelsSteps(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, paths: Sequence[Path], unit: str = ""
) -> Steps[np.ndarray]:
    """Do what `writeChannels` does, see `writeVolumeSteps`."""
    unit = unit or unitOf(volumeNode)
    ijkToRAS = yield from writeVolumeSteps(volumeNode, paths[0], unit=unit)
    for node, path in zip(furtherChannels(volumeNode), paths[1:]):
        image = imageOnGridOf(requireUsableVolume(node), volumeNode)
        image = withoutTransparency(image)
        details = (False, isStack(volumeNode), unit)
        yield from writeImageSteps(image, ijkToRAS, Path(path), *details)
    return ijkToRAS


def requireUsableVolume(
    volumeNode: slicer.vtkMRMLScalarVolumeNode,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume, of one or several channels, if it can be written.

    Raises:
        GenSegError: it is no volume, or has no voxels, too many components per voxel, or an invalid
            geometry.
    """
    name, image = requireVolume(volumeNode).GetName(), volumeNode.GetImageData()
    if image is None or image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        raise GenSegError(
            _("{name} has no voxels; load or select another volume").format(name=name)
        )
    if channelCount(volumeNode) > MAX_CHANNELS:
        text = _("{name} has {count} components per voxel (at most {most}); extract fewer")
        raise GenSegError(text.format(name=name, count=channelCount(volumeNode), most=MAX_CHANNELS))
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
    finish(finiteSteps(volumeNode))
    return volumeNode


def finiteSteps(volumeNode: slicer.vtkMRMLScalarVolumeNode) -> Steps[None]:
    """Check slice by slice what `requireFiniteVoxels` checks."""
    voxels = voxelsOf(volumeNode.GetImageData())
    for part in voxels if voxels.dtype.kind == "f" else ():
        if not np.isfinite(part).all():
            text = _("{name} contains NaN or infinite voxels; correct or leave out the volume")
            raise GenSegError(text.format(name=volumeNode.GetName()))
        yield None


def readVolume(
    path: Path, warn: Callable[[str], None] = lambda text: None
) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLStorageNode | None]:
    """Read a file or a folder of a DICOM series into a new node, which is not in a scene.

    Args:
        path: of the file or folder.
        warn: called with what was changed or is unclear, such as transparency that was dropped.

    Returns:
        A scalar volume, or a vector volume for several channels, and its storage node if Slicer's
        own reader would read the same.

    Raises:
        GenSegError: see `readImage` and `readByLibrary`.
    """
    if not isReadByLibrary(path):
        node = slicer.vtkMRMLScalarVolumeNode()
        with suppress(SeveralComponents):
            storage = readImage(node, path)
            _markStack(node, is_stack_file(path))
            _markUnit(node, "px" if isPlanar(node) and is_in_pixels(path) else "mm")
            return node, storage
    volume = readByLibrary(path)
    for warning in volume.warnings:
        warn(warning)
    node = newVolumeNode(len(volume.array))
    setVolume(node, volume)
    _markUnit(node, volume.unit)
    _markStack(node, volume.is_stack)
    return node, None


def _markStack(node: slicer.vtkMRMLVolumeNode, isStack: bool) -> None:
    if isStack:
        node.SetAttribute(STACK_ATTRIBUTE, "true")


def _markUnit(node: slicer.vtkMRMLVolumeNode, unit: str) -> None:
    if unit == "px":
        node.SetAttribute(UNIT_ATTRIBUTE, "px")


def loadVolume(
    path: Path, name: str, warn: Callable[[str], None] = lambda text: None
) -> slicer.vtkMRMLScalarVolumeNode:
    """Load a file or a folder of a DICOM series into the scene, see `readVolume`.

    Volumes from DICOM, and from files that Slicer would read in another way, have no storage node:
    they are saved with the scene.
    """
    node, storage = readVolume(Path(path), warn)
    node.SetName(name)
    slicer.mrmlScene.AddNode(node)
    if storage is not None:
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
    node.SetAttribute(DERIVED_ATTRIBUTE, volumeNode.GetID())
    slicer.mrmlScene.AddNode(node)
    node.SetAndObserveTransformNodeID(volumeNode.GetTransformNodeID())
    node.CreateDefaultDisplayNodes()
    placeInSameFolder(node, volumeNode)
    return node
