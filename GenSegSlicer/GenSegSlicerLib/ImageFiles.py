"""Writes and reads the voxels of volumes by Slicer's own storage, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.data.layouts import is_dicom_folder
from GenSegLib.errors import GenSegError
from GenSegLib.images.intact_files import require_intact
from GenSegSlicerLib.Geometry import matrixFromArray


def imageFromZero(image: vtk.vtkImageData) -> vtk.vtkImageData:
    """An image of the same voxels, not copied, whose indices start at 0."""
    moved = vtk.vtkImageData()
    moved.ShallowCopy(image)
    moved.SetExtent(*(bound for n in image.GetDimensions() for bound in (0, n - 1)))
    moved.SetOrigin(0, 0, 0)
    moved.SetSpacing(1, 1, 1)
    return moved


def writeImage(
    image: vtk.vtkImageData, grid: np.ndarray, path: Path, compress: bool = False
) -> None:
    """Write voxels with a grid matrix, in the format of the path's ending.

    Raises:
        GenSegError: the folder cannot be written, or the disk is full.
    """
    path = path.absolute()  # relative ones would start at the scene's folder
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrixFromArray(grid))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In a folder of its own, since ITK leaves folders behind where it fails.
        with TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            storage = _storageFor(temporary)
            storage.SetUseCompression(compress)
            storage.SetCompressionParameter("gzip_fastest")
            if not storage.WriteData(node) or not _isWhole(temporary, image):
                raise GenSegError(
                    _("{path}: cannot be written whole; is the disk full? Make room").format(
                        path=path
                    )
                )
            temporary.replace(path)
    except OSError as error:
        raise GenSegError(
            _("{path}: cannot be written ({reason}); choose another folder").format(
                path=path, reason=error.strerror or error
            )
        ) from None


def readImage(node: slicer.vtkMRMLVolumeNode, path: Path) -> slicer.vtkMRMLStorageNode:
    """Read a file or a DICOM series folder into a node, which need not be in the scene.

    Returns:
        The storage node that did it, in no scene.

    Raises:
        GenSegError: it cannot be read, is cut off, or has several values a voxel.
    """
    if not path.exists():
        raise GenSegError(_("{path}: no such file").format(path=path))
    path = path.absolute()
    if path.is_file():
        require_intact(path)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(_firstSlice(path)))
    storage.SetSingleFile(0 if path.is_dir() else 1)
    if not storage.ReadData(node) or node.GetImageData() is None:
        raise GenSegError(
            _("{path}: not an image that can be read; copy or export it again").format(path=path)
        )
    if node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise GenSegError(
            _("{path}: several values a voxel; a scalar volume is needed").format(path=path)
        )
    return storage


def _storageFor(path: Path) -> slicer.vtkMRMLStorageNode:
    if _isNrrd(path):  # three times as fast as ITK
        storage = slicer.vtkMRMLNRRDStorageNode()
    else:
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    return storage


def _isWhole(path: Path, image: vtk.vtkImageData) -> bool:
    """Whether a file has all voxels: not every writer notices a full disk."""
    voxels = image.GetNumberOfPoints() * image.GetScalarSize()
    if not path.is_file():
        return False
    if path.stat().st_size > voxels:
        return True
    if _isNrrd(path):  # packed by gzip, which ends with the length of what it packed
        with path.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            return int.from_bytes(file.read(), "little") == voxels % 2**32
    try:
        readImage(slicer.vtkMRMLScalarVolumeNode(), path)
    except GenSegError:
        return False
    return True


def _isNrrd(path: Path) -> bool:
    return path.name.lower().endswith(".nrrd")


def _firstSlice(path: Path) -> Path:
    if not path.is_dir():
        return path
    if not is_dicom_folder(path):
        raise GenSegError(_("{path}: no DICOM series is in this folder").format(path=path))
    return min(entry for entry in path.iterdir() if entry.is_file() and entry.name[0] != ".")
