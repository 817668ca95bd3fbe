"""Read 2-D DICOM images: photos, radiographs, ultrasound and endoscopy, with all their frames.

GDCM decodes the pixels: YBR becomes RGB, palettes are expanded, and MONOCHROME1 is inverted.
"""

from __future__ import annotations

import functools
import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name

from ..errors import GenSegError
from ..images.itk_files import suppress_stderr
from ..images.size_checks import require_plausible_size
from ..images.volume import LPS_TO_RAS, Volume
from .elements import exceeds_file, find_values
from .highdicom_tools import DAMAGED

_SPACINGS = ("0028|0030", "0018|1164", "0018|2010")  # of the pixel, the detector, the scanner
_ASPECT, _SYNTAX = "0028|0034", "0002|0010"
_VIDEO = "1.2.840.10008.1.2.4.10"  # MPEG2, MPEG-4 and HEVC: .100 to .108
_REGIONS = (0x0018, 0x6011)
_REGION_FORMAT, _UNITS, _DELTAS = (
    (0x0018, 0x6012),
    ((0x0018, 0x6024), (0x0018, 0x6026)),
    ((0x0018, 0x602C), (0x0018, 0x602E)),
)
_TWO_DIMENSIONAL, _CENTIMETERS = 1, 3  # PS3.3, C.8.5.5.1


@dataclass(frozen=True)
class PixelSpacing:
    """Spacing of columns and rows, its unit, and what is unclear about it."""

    steps: tuple[float, float]
    unit: str
    warnings: tuple[str, ...] = ()


def read_planar(path: Path) -> Volume:
    """Read an image (channel, x, y, frame) with the file's voxel type.

    Lengths are in mm where the header has a pixel spacing, that of the detector, or calibrated
    regions of ultrasound; else in pixels.

    Raises:
        GenSegError: the file is damaged, or a video.
    """
    try:
        facts = path.stat()
    except OSError as error:
        raise GenSegError(f"{path}: cannot be read ({error.strerror or error})") from None
    return _read(path, facts.st_mtime_ns, facts.st_size)


def count_frames(path: Path) -> int:
    """Return the number of frames; raises as `read_planar`."""
    return math.prod(_open(path).GetSize()[2:])


@functools.lru_cache(maxsize=1)
def _read(path: Path, modified: int, size: int) -> Volume:
    """Read a file; the last one is kept, since the frames of a clip are asked for one by one."""
    reader = _open(path)
    found = _pixel_spacing(path, reader)
    require_plausible_size(
        path, math.prod(reader.GetSize()) * reader.GetNumberOfComponents(), [path]
    )
    try:
        with suppress_stderr():
            image = reader.Execute()
    except RuntimeError:
        raise GenSegError(f"{path}: {DAMAGED}") from None
    array = sitk.GetArrayFromImage(image)
    array = array[..., np.newaxis] if image.GetNumberOfComponentsPerPixel() == 1 else array
    affine = LPS_TO_RAS @ np.diag([*found.steps, 1.0, 1.0])
    frames = np.array(array.T, order="F")
    frames.flags.writeable = False  # it is shared
    return Volume(
        frames,
        affine,
        has_position=False,
        warnings=found.warnings,
        unit=found.unit,
        is_stack=frames.shape[-1] > 1,
    )


def _open(path: Path) -> sitk.ImageFileReader:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        if exceeds_file(path):
            raise GenSegError(f"{path}: {DAMAGED}")
        with suppress_stderr():
            reader.ReadImageInformation()
    except (RuntimeError, OSError):
        raise GenSegError(f"{path}: {DAMAGED}") from None
    if _text(reader, _SYNTAX).startswith(_VIDEO):
        raise GenSegError(
            f"{path}: a video (MPEG) is not supported; export its frames as JPEG or PNG"
        )
    return reader


def _pixel_spacing(path: Path, reader: sitk.ImageFileReader) -> PixelSpacing:
    """Return the spacing by the first of the header's elements that has one."""
    for tag in _SPACINGS:
        rows_columns = _numbers(reader, tag)
        if rows_columns is not None:
            return PixelSpacing((rows_columns[1], rows_columns[0]), "mm")
    regions = sorted(set(_calibrated_regions(path)))
    if len(regions) == 1:
        return PixelSpacing(regions[0], "mm")
    down, across = _numbers(reader, _ASPECT) or (1.0, 1.0)
    several = (
        "regions of the ultrasound image have different scales; lengths are in pixels; crop the "
        "image to one region"
    )
    return PixelSpacing((1.0, down / across), "px", (several,) if regions else ())


def _calibrated_regions(path: Path) -> list[tuple[float, float]]:
    """Return width and height of a pixel in mm for each 2-D region of an ultrasound image."""
    tags = (_REGION_FORMAT, *_UNITS, *_DELTAS)
    regions: list[dict[tuple[int, int], float]] = []
    for tag, value, order in find_values(path, tags, [_REGIONS]):
        if tag == _REGION_FORMAT:  # the first of these elements in a region
            regions.append({})
        if regions:
            form = "d" if tag in _DELTAS else "H"
            is_valid = len(value) == struct.calcsize(form)
            regions[-1][tag] = struct.unpack(order + form, value)[0] if is_valid else 0
    return [
        (round(10 * abs(region[_DELTAS[0]]), 9), round(10 * abs(region[_DELTAS[1]]), 9))
        for region in regions
        if region[_REGION_FORMAT] == _TWO_DIMENSIONAL
        and all(region.get(tag) == _CENTIMETERS for tag in _UNITS)
        and all(region.get(tag) for tag in _DELTAS)
    ]


def _numbers(reader: sitk.ImageFileReader, tag: str) -> tuple[float, float] | None:
    try:
        first, second = (float(part) for part in _text(reader, tag).split("\\"))
    except ValueError:
        return None
    return (first, second) if min(first, second) > 0 else None


def _text(reader: sitk.ImageFileReader, tag: str) -> str:
    return str(reader.GetMetaData(tag)).strip("\0 ") if reader.HasMetaDataKey(tag) else ""
