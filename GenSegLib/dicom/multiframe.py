"""Read a multi-frame DICOM object (enhanced CT or MR) as one volume.

ITK stacks the frames in stored order, upside down if they descend, and rescales all like the
first; highdicom sorts them by position and applies each frame's own rescale slope.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name

from ..errors import GenSegError
from ..images.size_checks import require_plausible_size
from .elements import exceeds_file
from .highdicom_tools import DAMAGED, report_errors_as, require_packages

_IRREGULAR = (
    "the frames do not form one evenly spaced volume (several phases or echoes, or missing "
    "slices?); export one phase as a series of slices, or save it as NRRD from 3D Slicer"
)
_UNDECODABLE = "unsupported compression; export it uncompressed, or save it as NRRD from 3D Slicer"
_MIN_HU, _MAX_HU = -10240.0, 32767.0  # extended Hounsfield scales reach -10240 to 30710


def load_multiframe(path: Path) -> sitk.Image:
    """Read the frames as a 3-D image of floats, in the order of their positions.

    Raises:
        GenSegError: the file is damaged or its compression unsupported, the frames do not form a
            volume, CT values are not Hounsfield units, or packages are missing.
    """
    require_packages("a multi-frame DICOM file")
    import highdicom as hd

    with report_errors_as(path, DAMAGED):
        if exceeds_file(path):
            raise ValueError("longer than the file")
        image = hd.imread(str(path))
    with report_errors_as(path, _IRREGULAR):
        geometry = image.get_volume_geometry()
        if geometry is None or geometry.spatial_shape[0] != image.number_of_frames:
            raise ValueError("not a regular volume")
    voxel_bytes = np.dtype(np.float32).itemsize
    require_plausible_size(path, math.prod(geometry.spatial_shape) * voxel_bytes, [path])
    with report_errors_as(path, _UNDECODABLE):
        volume = image.get_volume(
            dtype=np.float32, apply_real_world_transform=False, apply_presentation_lut=False
        )
    if image.get("Modality") == "CT":
        require_hounsfield(path, "the CT", volume.array)
    return _to_itk(volume.array, volume.affine)


def require_hounsfield(path: Path, name: str, values: np.ndarray) -> None:
    """Check that CT values can be Hounsfield units; one single value below is padding.

    Signed values that are read as unsigned, or that overflowed, are found by their range.

    Args:
        path: folder or file, for the message.
        name: what holds the values, for the message.
        values: of the voxels.

    Raises:
        GenSegError: the values are out of range.
    """
    low, high = float(values.min()), float(values.max())
    if low < _MIN_HU:
        beyond = np.unique(values[values < _MIN_HU])
        if beyond.size == 1:
            low = float(values[values >= _MIN_HU].min(initial=high))
    if low < _MIN_HU or high > _MAX_HU:
        raise GenSegError(
            f"{path}: {name} has values from {low:g} to {high:g}, which are not Hounsfield units "
            "(16-bit overflow?); export the series again"
        )


def _to_itk(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """Convert voxels (slice, row, column) and their affine to LPS mm to an ITK image."""
    steps, origin = affine[:3, 2::-1].copy(), affine[:3, 3].copy()
    if np.linalg.det(steps) < 0:  # the slice order of DICOM PS3.3, C.7.6.2
        array = array[::-1]
        origin += steps[:, 2] * (len(array) - 1)
        steps[:, 2] *= -1
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(origin.tolist())
    return image
