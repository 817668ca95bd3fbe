"""Volumes of files and series that SimpleITK reads, and its images of volumes.

SimpleITK's LPS (z, y, x) is converted to RAS (channel, x, y, z) here and nowhere else.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name

from ..dicom.files import SEGMENTATION_CLASSES
from ..dicom.multiframe import load_multiframe
from ..dicom.series import load_series
from ..errors import GenSegError
from ..images import itk_files
from ..images.volume import LPS_TO_RAS, MAX_CHANNELS, Volume

_SOP_CLASS_UID = "0008|0016"


def load_channels(path: Path) -> sitk.Image:
    """Read an image as `load_itk` does.

    Raises:
        GenSegError: as `load_itk`; or voxels are complex or have more than `MAX_CHANNELS` values.
    """
    image = load_itk(path)
    require_real(path, image)
    if (count := image.GetNumberOfComponentsPerPixel()) > MAX_CHANNELS:
        raise GenSegError(
            f"{path}: {count} values per voxel, but at most {MAX_CHANNELS} channels are supported; "
            "extract fewer channels"
        )
    return image


def load_itk(path: Path) -> sitk.Image:
    """Read a file or the DICOM series of a folder as a 3-D image with the file's voxel type.

    Raises:
        GenSegError: the image is missing, unreadable, truncated, or has an invalid grid.
    """
    try:
        is_folder = path.is_dir()
    except OSError as error:  # an invalid name, or a disconnected drive
        raise GenSegError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if is_folder:
        image = load_series(path)
    else:
        reader = itk_files.open_image(path)
        if not reader.HasMetaDataKey(_SOP_CLASS_UID):
            return itk_files.load_image(path, reader)
        _require_dicom_volume(path, reader)
        image = load_multiframe(path)
    itk_files.require_valid_grid(path, image)
    return image


def _require_dicom_volume(path: Path, reader: sitk.ImageFileReader) -> None:
    if reader.GetMetaData(_SOP_CLASS_UID).strip("\0 ") in SEGMENTATION_CLASSES:
        raise GenSegError(
            f"{path}: a DICOM SEG is a label, not an image; choose the folder of the image series"
        )
    if math.prod(reader.GetSize()[2:]) == 1:
        raise GenSegError(
            f"{path}: a single slice of a DICOM series; choose the folder of the series"
        )


def require_real(path: Path, image: sitk.Image) -> None:
    """Raise GenSegError if voxels are complex numbers."""
    if image.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise GenSegError(f"{path}: complex voxel values; convert the image to magnitude")


def from_itk(image: sitk.Image) -> Volume:
    """Convert to RAS with the image's voxel type and memory layout (x fastest)."""
    array = sitk.GetArrayViewFromImage(image)
    if array.ndim == image.GetDimension():
        array = array[..., None]
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(np.array(array.T, order="F"), LPS_TO_RAS @ affine)


def to_itk(volume: Volume) -> sitk.Image:
    """Convert a volume to an image in LPS with its voxel type, of vectors if it has channels."""
    is_vector = len(volume.array) > 1
    image = sitk.GetImageFromArray(
        volume.array.T if is_vector else volume.array[0].T, isVector=is_vector
    )
    affine = LPS_TO_RAS @ volume.affine
    image.SetSpacing(volume.spacing)
    image.SetDirection((affine[:3, :3] / np.array(volume.spacing)).ravel())
    image.SetOrigin(affine[:3, 3])
    return image
