"""Reading of DICOM and raster images with the library's reader and its checks.

Slicer's file reader orders slices by their file names where its DICOM support is missing, reads
series with missing slices as if they were complete, and ignores the orientation of photos. The
modules of the library that read files need SimpleITK and Pillow, which are parts of Slicer, and are
imported when there is something to read.
"""

from __future__ import annotations

from pathlib import Path

from slicer.i18n import tr as _

from GenSegLib.dicom.files import is_dicom_file, is_dicom_folder
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import is_raster_file, split_frame
from GenSegLib.images.volume import Volume


def isReadByLibrary(path: Path) -> bool:
    """Return whether a path is DICOM or a raster image; a folder can only be that of a series."""
    isFrame = split_frame(path)[1] is not None
    return isFrame or path.is_dir() or is_raster_file(path) or is_dicom_file(path)


def readByLibrary(path: Path) -> Volume:
    """Read a file, or a DICOM series from its folder, as `genseg` does, with its voxel type.

    Raises:
        GenSegError: the file cannot be read; there is no series or several, or slices are missing,
            truncated or inconsistent.
    """
    from GenSegLib.datasets.image_io import read_image

    if path.is_dir() and not is_dicom_folder(path):
        raise GenSegError(_("{path}: this folder contains no DICOM series").format(path=path))
    return read_image(path, dtype=None)
