"""Atomic writing and validated reading of images by Slicer's storage nodes."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from GenSegLib.errors import GenSegError
from GenSegLib.images.file_checks import require_valid_file
from GenSegSlicerLib.Geometry import matrixFromArray
from GenSegSlicerLib.ScalarTypes import withSupportedScalars


def imageWithDefaultGeometry(image: vtk.vtkImageData) -> vtk.vtkImageData:
    """Return a shallow copy with extent from 0, origin 0 and spacing 1, as MRML requires."""
    copy = vtk.vtkImageData()
    copy.ShallowCopy(image)
    copy.SetExtent(*(bound for n in image.GetDimensions() for bound in (0, n - 1)))
    copy.SetOrigin(0, 0, 0)
    copy.SetSpacing(1, 1, 1)
    return copy


def writeImage(
    image: vtk.vtkImageData, ijkToRAS: np.ndarray, path: Path, compress: bool = False
) -> None:
    """Write an image with an IJK-to-RAS matrix, in the format of the file name extension.

    Voxels of a type that Slicer's writers do not support are converted to one that they do.

    Raises:
        GenSegError: the folder cannot be written, or the disk is full.
    """
    image = withSupportedScalars(image)
    path = path.absolute()  # storage nodes resolve relative paths against the scene's folder
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrixFromArray(ijkToRAS))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In a temporary folder, since ITK leaves folders behind when it fails.
        with TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            storage = _storageFor(temporary)
            storage.SetUseCompression(compress)
            storage.SetCompressionParameter("gzip_fastest")
            if not storage.WriteData(node) or not _isComplete(temporary, image):
                raise GenSegError(
                    _("{path}: writing failed; check whether the disk is full").format(path=path)
                )
            temporary.replace(path)
    except OSError as error:
        raise GenSegError(
            _("{path}: cannot be written ({reason}); choose another folder").format(
                path=path, reason=error.strerror or error
            )
        ) from None


def readImage(node: slicer.vtkMRMLVolumeNode, path: Path) -> slicer.vtkMRMLStorageNode:
    """Read a file that is no DICOM into a node, which may be outside the scene.

    Returns:
        The storage node, not in a scene.

    Raises:
        GenSegError: the file cannot be read, is truncated, or has several components per voxel.
    """
    if not path.exists():
        raise GenSegError(_("{path}: no such file").format(path=path))
    path = path.absolute()
    require_valid_file(path)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    storage.SetSingleFile(1)
    if not storage.ReadData(node) or node.GetImageData() is None:
        raise GenSegError(
            _("{path}: cannot be read as an image; copy or export it again").format(path=path)
        )
    if node.GetImageData().GetNumberOfScalarComponents() != 1:
        raise GenSegError(
            _("{path}: has several components per voxel; use a scalar volume").format(path=path)
        )
    node.SetAndObserveImageData(withSupportedScalars(node.GetImageData()))
    return storage


def _storageFor(path: Path) -> slicer.vtkMRMLStorageNode:
    if _isNrrd(path):  # three times faster than ITK
        storage = slicer.vtkMRMLNRRDStorageNode()
    else:
        storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    return storage


def _isComplete(path: Path, image: vtk.vtkImageData) -> bool:
    """Whether a file contains all voxels, since some writers do not report a full disk."""
    expected = image.GetNumberOfPoints() * image.GetScalarSize()
    if not path.is_file():
        return False
    if path.stat().st_size > expected:
        return True
    if _isNrrd(path):  # gzip ends with the uncompressed size
        with path.open("rb") as file:
            file.seek(-4, os.SEEK_END)
            return int.from_bytes(file.read(), "little") == expected % 2**32
    try:
        readImage(slicer.vtkMRMLScalarVolumeNode(), path)
    except GenSegError:
        return False
    return True


def _isNrrd(path: Path) -> bool:
    return path.name.lower().endswith(".nrrd")
