"""Volumes and their files: the one place where ITK's LPS (z, y, x) meets RAS (channel, x, y, z)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it
from numpy.typing import DTypeLike

from ..dicom import labels as dicom_labels
from ..dicom.preamble import is_segmentation
from ..errors import GenSegError
from ..label_maps import LARGEST_LABEL
from . import itk_files
from .intact_files import find_not_finite
from .placing import placed
from .segment_files import Segment, flatten_layers, read_segments, write_segments
from .volumes import LPS_TO_RAS, Volume, on_same_grid

__all__ = [
    "Volume",
    "on_same_grid",
    "read_image",
    "read_label",
    "read_segment_names",
    "write_image",
    "write_label",
]


def read_image(path: Path, *, finite: bool = True, dtype: DTypeLike | None = np.float32) -> Volume:
    """Read a scalar volume (1, x, y, z) from a file or a DICOM series folder.

    Args:
        path: of the file or folder.
        finite: refuse voxels that are NaN or infinite.
        dtype: type of the voxels; None for that of the file, which a large volume takes less
            memory in. The array then lies in memory as it does in the file, x fastest.

    Raises:
        GenSegError: it is missing, unreadable, truncated, 4-D, of several values a voxel, or its
            geometry is invalid; with `finite` also when voxels are NaN or infinite.
    """
    image = itk_files.load(path)
    _require_scalar(path, image)
    volume = _from_itk(image, dtype, "C" if dtype is not None else "F")
    if volume.array.dtype.kind != "f":
        return volume
    _restore_not_finite(path, volume.array)
    if finite and (count := volume.array.size - np.isfinite(volume.array).sum()):
        raise GenSegError(f"{path}: {count} voxels are NaN or infinite; mend or leave out the case")
    return volume


def read_label(path: Path, grid: Volume | None = None) -> Volume:
    """Read a label volume as int16 (1, x, y, z); whole numbers stored as floats are accepted.

    The segments of a `.seg.nrrd` with several layers and of a DICOM SEG are painted into one
    volume, the later over the earlier; `read_segment_names` gives their names.

    Args:
        path: of the file.
        grid: the image that it belongs to; a DICOM SEG, which may be of some of its slices alone,
            is laid onto the image's grid.

    Raises:
        GenSegError: as `read_image`; or a voxel is no whole number from 0 to 32767; or a DICOM SEG
            is of another image.
    """
    if is_segmentation(path):
        return _read_dicom_seg(path, grid)
    image = itk_files.load(path)
    segments = _segments(path, itk_files.header_of(image))
    if not segments:
        _require_scalar(path, image)
    volume = _from_itk(image)
    array = volume.array
    if array.dtype.kind == "f":
        _restore_not_finite(path, array)
    if len(array) > 1:
        array = _flatten(path, array, segments)[None]
    return Volume(_whole_numbers(path, array), volume.affine)


def read_segment_names(path: Path) -> dict[int, str]:
    """Read the names of the segments of a `.seg.nrrd` or DICOM SEG, by `read_label`'s values.

    Empty for any other file. Raises GenSegError as `read_label` does.
    """
    if is_segmentation(path):
        return dicom_labels.read_names(path)
    if not path.name.lower().endswith(".nrrd"):
        return {}
    return {segment.value: segment.name for segment in _segments(path, itk_files.load_header(path))}


def write_image(path: Path, volume: Volume) -> None:
    """Write a scalar volume (1, x, y, z) with its voxel type, whole or not at all.

    Raises:
        GenSegError: the format is not written, or the file cannot be.
    """
    itk_files.save(_to_itk(volume), path)


def write_label(
    path: Path,
    volume: Volume,
    names: Mapping[int, str] | None = None,
    colors: Mapping[int, tuple[int, int, int]] | None = None,
    terminology: Mapping[int, str] | None = None,
) -> None:
    """Write a label volume (1, x, y, z).

    A `.seg.nrrd` also carries names, colors (0..255) and 3D Slicer's terminology strings.

    Raises:
        GenSegError: as `write_image`; or a label is outside 0..32767.
    """
    label = _whole_numbers(path, volume.array)
    smallest = label.astype(np.uint8) if label.max(initial=0) <= 255 else label
    header = {}
    if path.name.lower().endswith(".seg.nrrd"):
        values = sorted({*(int(v) for v in np.unique(label) if v), *(names or {})})
        given = (names or {}, colors or {}, terminology or {})
        header = write_segments(values, volume.shape, *given)
    itk_files.save(_to_itk(Volume(smallest, volume.affine)), path, header)


def _read_dicom_seg(path: Path, grid: Volume | None) -> Volume:
    array, affine = dicom_labels.read_segments(path)
    label = Volume(_whole_numbers(path, array[None]), LPS_TO_RAS @ affine)
    try:
        return label if grid is None else placed(label, grid)
    except GenSegError as error:
        raise GenSegError(f"{path}: {error}") from None


def _segments(path: Path, header: Mapping[str, str]) -> list[Segment]:
    try:
        return read_segments(header)
    except GenSegError as error:
        raise GenSegError(f"{path}: {error}") from None


def _flatten(path: Path, layers: np.ndarray, segments: Sequence[Segment]) -> np.ndarray:
    try:
        return flatten_layers(layers, segments)
    except GenSegError as error:
        raise GenSegError(f"{path}: {error}") from None


def _require_scalar(path: Path, image: sitk.Image) -> None:
    count = image.GetNumberOfComponentsPerPixel()
    if count > 1:
        kind = "an RGB image?" if count in (3, 4) else "several channels?"
        raise GenSegError(f"{path}: {count} values a voxel ({kind}); a scalar volume is needed")
    if image.GetPixelID() in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise GenSegError(f"{path}: complex voxels; a scalar volume is needed, take the magnitude")


def _from_itk(
    image: sitk.Image, dtype: DTypeLike | None = None, order: Literal["C", "F"] = "C"
) -> Volume:
    array = sitk.GetArrayViewFromImage(image)
    if array.ndim == image.GetDimension():
        array = array[..., None]
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(np.array(array.T, dtype, order=order), LPS_TO_RAS @ affine)


def _restore_not_finite(path: Path, array: np.ndarray) -> None:
    """Put NaN back where ITK put 0 in its place."""
    places = find_not_finite(path)
    array[0][np.unravel_index(places, array.shape[1:], order="F")] = np.nan


def _to_itk(volume: Volume) -> sitk.Image:
    if len(volume.array) != 1:
        raise ValueError(f"one channel is written, not {len(volume.array)}")
    image = sitk.GetImageFromArray(volume.array[0].T)
    affine = LPS_TO_RAS @ volume.affine
    image.SetSpacing(volume.spacing)
    image.SetDirection((affine[:3, :3] / np.array(volume.spacing)).ravel())
    image.SetOrigin(affine[:3, 3])
    return image


def _whole_numbers(path: Path, array: np.ndarray) -> np.ndarray:
    whole = array.dtype.kind in "iub"
    if not whole and (not np.isfinite(array).all() or (array != np.rint(array)).any()):
        raise GenSegError(f"{path}: not a label volume, some voxels are no whole numbers")
    low, high = array.min(initial=0), array.max(initial=0)
    if low < 0 or high > LARGEST_LABEL:
        value = low if low < 0 else high
        raise GenSegError(f"{path}: label value {value:g} is outside 0..{LARGEST_LABEL}")
    return array.astype(np.int16, copy=False)
