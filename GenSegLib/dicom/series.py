"""Read a folder of DICOM slices as one volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import SimpleITK as sitk  # noqa: N813 - the usual name

from ..errors import GenSegError
from ..images.itk_files import suppress_stderr
from ..images.size_checks import require_plausible_size
from .headers import SliceHeader, read_slices
from .multiframe import load_multiframe, require_hounsfield
from .series_checks import require_consistent_slices, require_one_series, require_regular_spacing

_FLOAT_BYTES = 4


def load_series(folder: Path) -> sitk.Image:
    """Read the only DICOM series of a folder as a 3-D image of floats or 16-bit integers.

    Raises:
        GenSegError: the folder holds no series or several, a file is truncated, slices are
            missing, duplicated, unevenly spaced, shifted or inconsistent, the gantry was tilted,
            or the values of a CT are not Hounsfield units.
    """
    slices = series_slices(folder)
    if len(slices) == 1:
        return load_multiframe(slices[0].file)
    image = _read_voxels(folder, slices)
    if slices[0].is_ct:
        for header, values in zip(slices, sitk.GetArrayViewFromImage(image)):
            name = f"{header.file.name} (at {header.location:.1f} mm)"
            require_hounsfield(folder, name, values)
    return image


def series_slices(folder: Path) -> list[SliceHeader]:
    """Return the checked slices of a folder's only series, in the order of their positions.

    GDCM and ITK stretch a series with missing or duplicated slices, ignore gantry tilt and skip
    truncated files; here these are errors.

    Raises:
        GenSegError: as `load_series`, except for what only the voxels show.
    """
    slices = read_slices(folder)
    require_one_series(folder, slices)
    if len(slices) == 1:
        if slices[0].frames == 1:
            raise GenSegError(
                f"{slices[0].file}: the only slice of its series; copy the whole series"
            )
        return slices
    require_consistent_slices(folder, slices)
    slices.sort(key=lambda header: header.location)
    require_regular_spacing(folder, slices)
    return slices


def _read_voxels(folder: Path, slices: Sequence[SliceHeader]) -> sitk.Image:
    """Read voxels as floats unless 16 bits suffice, since slopes may differ between slices."""
    files = [str(header.file) for header in slices]
    pixel_type = sitk.sitkInt16 if all(s.fits_int16 for s in slices) else sitk.sitkFloat32
    declared = math.prod(slices[0].size) * _FLOAT_BYTES * len(files)
    require_plausible_size(folder, declared, [header.file for header in slices])
    try:
        with suppress_stderr():
            return sitk.ReadImage(files, pixel_type, "GDCMImageIO")
    except RuntimeError:
        damaged = _find_damaged(files) or folder
        raise GenSegError(
            f"{damaged}: truncated or damaged; copy or export the file again"
        ) from None


def _find_damaged(files: Sequence[str]) -> str:
    for file in files:
        try:
            with suppress_stderr():
                sitk.ReadImage(file, sitk.sitkFloat32, "GDCMImageIO")
        except RuntimeError:
            return file
    return ""
