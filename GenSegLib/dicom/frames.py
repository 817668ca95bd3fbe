"""Reads a DICOM object of several frames (enhanced CT or MR) as one volume.

ITK stacks the frames as they come, upside down where they run downwards, and rescales all as the
first; highdicom sorts them by the place and rescales them by the slope that each one names.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from ..images.claimed_sizes import require_plausible
from ..images.hounsfield import require_hounsfield
from .extra import DAMAGED, require_packages, understood
from .lengths import claims_too_much

_IRREGULAR = (
    "its frames are no single, evenly spaced volume (several phases or echoes, or slices that are "
    "missing?); export one phase as a series of slices, or save it as NRRD from 3D Slicer"
)
_PACKED = "its voxels cannot be decoded; export it uncompressed, or save it as NRRD from 3D Slicer"


def load_frames(path: Path) -> sitk.Image:
    """Read the frames as a 3-D image of floats, in the order in which slices follow each other.

    Raises:
        GenSegError: the file is damaged or compressed in a way that is not known, its frames are no
            volume, the values of a CT are no Hounsfield units, or packages are missing.
    """
    require_packages("a DICOM file of several frames")
    import highdicom as hd

    with understood(path, DAMAGED):
        if claims_too_much(path):
            raise ValueError("longer than the file")
        image = hd.imread(str(path))
    with understood(path, _IRREGULAR):
        geometry = image.get_volume_geometry()
        if geometry is None or geometry.spatial_shape[0] != image.number_of_frames:
            raise ValueError("no regular volume")
    voxel_bytes = np.dtype(np.float32).itemsize
    require_plausible(path, math.prod(geometry.spatial_shape) * voxel_bytes, [path])
    with understood(path, _PACKED):
        volume = image.get_volume(
            dtype=np.float32, apply_real_world_transform=False, apply_presentation_lut=False
        )
    if image.get("Modality") == "CT":
        require_hounsfield(path, "it", volume.array)
    return _as_itk(volume.array, volume.affine)


def _as_itk(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """Return voxels (slice, row, column), with the affine of these to LPS mm, as an image."""
    steps, origin = affine[:3, 2::-1].copy(), affine[:3, 3].copy()
    if np.linalg.det(steps) < 0:  # slices follow each other as DICOM PS3.3, C.7.6.2 lays it
        array = array[::-1]
        origin += steps[:, 2] * (len(array) - 1)
        steps[:, 2] *= -1
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    spacing = np.linalg.norm(steps, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((steps / spacing).ravel().tolist())
    image.SetOrigin(origin.tolist())
    return image
