"""Atomic writing and validated reading of images by Slicer's storage nodes."""

from __future__ import annotations

import errno
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from GenSegLib.errors import GenSegError
from GenSegLib.images.file_checks import require_valid_file
from GenSegLib.images.nifti import read_header, read_nifti
from GenSegLib.images.nifti_header import is_nifti_name
from GenSegLib.images.nrrd_files import write_nrrd_steps
from GenSegLib.images.volume import Volume
from GenSegLib.steps import Steps, finish
from GenSegSlicerLib.Geometry import hasOrthogonalAxes, matrixFromArray
from GenSegSlicerLib.ScalarTypes import supportedVoxels, withSupportedScalars
from GenSegSlicerLib.Segments import voxelsOf

_ITK_TOLERANCE = 3e-5


def imageWithDefaultGeometry(image: vtk.vtkImageData) -> vtk.vtkImageData:
    """Return a shallow copy with extent from 0, origin 0 and spacing 1, as MRML requires."""
    copy = vtk.vtkImageData()
    copy.ShallowCopy(image)
    copy.SetExtent(*(bound for n in image.GetDimensions() for bound in (0, n - 1)))
    copy.SetOrigin(0, 0, 0)
    copy.SetSpacing(1, 1, 1)
    return copy


def orientedImage(voxels: np.ndarray, ijkToRAS: np.ndarray) -> slicer.vtkOrientedImageData:
    """Create an image of voxels (k, j, i), or (k, j, i, component) for a vector image.

    Contiguous voxels of a supported type are not copied.
    """
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(voxels.shape[2::-1])
    contiguous = np.ascontiguousarray(supportedVoxels(voxels))
    image.GetPointData().SetScalars(numpy_to_vtk(contiguous.reshape(-1, *voxels.shape[3:])))
    image.SetGeometryFromImageToWorldMatrix(matrixFromArray(ijkToRAS))
    return image


def newVolumeNode(components: int) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a scalar volume, or a vector volume for several components, not in a scene."""
    return slicer.vtkMRMLScalarVolumeNode() if components == 1 else slicer.vtkMRMLVectorVolumeNode()


def writeImage(
    image: vtk.vtkImageData, ijkToRAS: np.ndarray, path: Path, compress: bool = False
) -> None:
    """Write an image with an IJK-to-RAS matrix, in the format of the file name extension.

    Voxels of a type that Slicer's writers do not support are converted to one that they do.

    Raises:
        GenSegError: the folder cannot be written, or the disk is full.
    """
    finish(writeImageSteps(image, ijkToRAS, path, compress))


def writeImageSteps(
    image: vtk.vtkImageData,
    ijkToRAS: np.ndarray,
    path: Path,
    compress: bool = False,
    isStack: bool = False,
    unit: str = "mm",
) -> Steps[None]:
    """Do what `writeImage` does; a NRRD file slice by slice, which says if a stack or in px."""
    image = withSupportedScalars(image)
    path = path.absolute()  # storage nodes resolve relative paths against the scene's folder
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In a temporary folder, since ITK leaves folders behind when it fails.
        with TemporaryDirectory(prefix=".", dir=path.parent) as folder:
            temporary = Path(folder) / path.name
            if path.name.lower().endswith(".nrrd"):
                voxels = voxelsOf(image)
                details = (compress, isStack, unit)
                yield from write_nrrd_steps(temporary, voxels, ijkToRAS, *details)
            elif not _writeByStorage(image, ijkToRAS, temporary, compress):
                raise OSError(errno.ENOSPC, "")
            temporary.replace(path)
    except OSError as error:
        raise _writingError(path, error) from None


def _writingError(path: Path, error: OSError) -> GenSegError:
    full = [getattr(errno, name, 0) for name in ("ENOSPC", "EDQUOT", "EFBIG")]
    if error.errno in full:
        text = _("{path}: writing failed; check whether the disk is full")
        return GenSegError(text.format(path=path))
    text = _("{path}: cannot be written ({reason}); choose another folder")
    return GenSegError(text.format(path=path, reason=error.strerror or error))


def _writeByStorage(
    image: vtk.vtkImageData, ijkToRAS: np.ndarray, path: Path, compress: bool
) -> bool:
    """Write an image by Slicer's own writer; return whether the file is complete."""
    node = newVolumeNode(image.GetNumberOfScalarComponents())
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrixFromArray(ijkToRAS))
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    storage.SetUseCompression(compress)
    storage.SetCompressionParameter("gzip_fastest")
    return bool(storage.WriteData(node)) and _isComplete(path, image)


def setVolume(node: slicer.vtkMRMLVolumeNode, volume: Volume) -> None:
    """Set the voxels and the geometry of a node; several channels need a vector volume.

    The axes become right-handed, by a flip of the last one, as Slicer's own readers make them.
    """
    voxels, affine = volume.array, volume.affine
    if np.linalg.det(affine[:3, :3]) < 0:
        voxels, affine = voxels[..., ::-1], affine.copy()
        affine[:3, 3] += affine[:3, 2] * (voxels.shape[3] - 1)
        affine[:3, 2] *= -1
    components = voxels[0].T if len(voxels) == 1 else voxels.transpose(3, 2, 1, 0)
    node.SetAndObserveImageData(orientedImage(components, np.eye(4)))
    node.SetIJKToRASMatrix(matrixFromArray(affine))


class SeveralComponents(GenSegError):
    """A file has several values per voxel, and the node is a scalar volume."""

    def __init__(self, path: Path) -> None:
        text = _("{path}: has several components per voxel; use a scalar volume")
        super().__init__(text.format(path=path))


def readImage(node: slicer.vtkMRMLVolumeNode, path: Path) -> slicer.vtkMRMLStorageNode | None:
    """Read a file that is no DICOM into a node, which may be outside the scene.

    NIfTI files that Slicer's reader would refuse or read otherwise (NIfTI-2, slightly sheared axes,
    a slope of 0, NaN) are read by the library.

    Returns:
        The storage node, not in a scene; None if Slicer would read another volume from the file.

    Raises:
        SeveralComponents: the file has several components, and the node is no vector volume.
        GenSegError: the file cannot be read or is truncated.
    """
    if not path.exists():
        raise GenSegError(_("{path}: no such file").format(path=path))
    path = path.absolute()
    require_valid_file(path)
    isVector = node.IsA("vtkMRMLVectorVolumeNode")
    if is_nifti_name(path) and not isVector and not _isReadAlike(path):
        volume = read_nifti(path)
        if len(volume.array) > 1:
            raise SeveralComponents(path)
        setVolume(node, volume)
        return None
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    storage.SetSingleFile(1)
    if not storage.ReadData(node) or node.GetImageData() is None:
        raise GenSegError(
            _("{path}: cannot be read as an image; copy or export it again").format(path=path)
        )
    if node.GetImageData().GetNumberOfScalarComponents() != 1 and not isVector:
        raise SeveralComponents(path)
    node.SetAndObserveImageData(withSupportedScalars(node.GetImageData()))
    return storage


def _isReadAlike(path: Path) -> bool:
    """Whether Slicer's own reader reads the same volume from a NIfTI file as the library."""
    header = read_header(path)
    with path.open("rb") as file:
        isCompressed = file.read(2) == b"\x1f\x8b"
    return (
        header.is_common
        and len(header.shape) > 2
        and all(size == 1 for size in header.shape[3:])  # further channels
        and not header.warnings
        and isCompressed == path.name.lower().endswith(".gz")
        and hasOrthogonalAxes(header.affine, _ITK_TOLERANCE)
    )


def _isComplete(path: Path, image: vtk.vtkImageData) -> bool:
    """Whether a file contains all voxels, since some writers do not report a full disk."""
    expected = image.GetNumberOfPoints() * image.GetScalarSize()
    expected *= image.GetNumberOfScalarComponents()
    if not path.is_file():
        return False
    if path.stat().st_size > expected:
        return True
    try:
        readImage(newVolumeNode(image.GetNumberOfScalarComponents()), path)
    except GenSegError:
        return False
    return True
