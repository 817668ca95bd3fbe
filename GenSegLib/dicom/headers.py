"""Headers of DICOM slices, as far as a volume needs them, read by GDCM."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name

from ..errors import GenSegError
from ..images.itk_files import suppress_stderr
from .elements import exceeds_file
from .files import is_dicom, list_folder, may_hold_image, read_head

_CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"  # with suffixes for enhanced and converted CT
_DICOM_SUFFIXES = (".dcm", ".ima", ".dicom")


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """Header of a DICOM file with an image.

    Attributes:
        file: its path.
        series: series instance UID.
        number: series number.
        acquisition: acquisition number; empty if not in the header.
        thickness: of the slice in mm; NaN if not in the header.
        position: center of the first voxel, LPS in mm; empty if not in the header.
        rows: direction of increasing column index, LPS; empty if not in the header.
        columns: direction of increasing row index, LPS; empty if not in the header.
        size: number of columns, rows and frames.
        spacing: of columns and rows in mm; arbitrary unless `has_spacing`.
        has_spacing: whether the header contains a pixel spacing.
        is_ct: whether it is a CT image.
        is_rescaled: whether there are a rescale slope and intercept.
        fits_int16: whether all possible rescaled values are 16-bit integers.
        patient: patient's name and ID.
        is_deidentified: whether the header states that the patient's identity was removed.
    """

    file: Path
    series: str
    number: str
    acquisition: str
    thickness: float
    position: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    has_spacing: bool
    is_ct: bool
    is_rescaled: bool
    fits_int16: bool
    patient: tuple[str, str]
    is_deidentified: bool

    @property
    def has_position(self) -> bool:
        """Whether the header contains position and orientation."""
        return self.position.size == self.rows.size == self.columns.size == 3

    @property
    def frames(self) -> int:
        """Number of frames."""
        return math.prod(self.size[2:])

    @property
    def normal(self) -> np.ndarray:
        """Direction from slice to slice (DICOM PS3.3, C.7.6.2)."""
        return np.cross(self.rows, self.columns)

    @property
    def location(self) -> float:
        """Position along the normal in mm; the S coordinate of an axial slice."""
        return float(self.position @ self.normal)


def read_slices(folder: Path) -> list[SliceHeader]:
    """Read the headers of all images in a DICOM folder, sorted by file name.

    Objects without an image (segmentations, reports, plans, DICOMDIR) are skipped.

    Raises:
        GenSegError: the folder or a file cannot be read; GDCM alone would silently skip truncated
            files.
    """
    with suppress_stderr():
        return list(_read_headers(list_folder(folder)))


def read_first_slice(path: Path) -> SliceHeader | None:
    """Read the header of a DICOM file, or of the first image in a folder of them, if any.

    Raises:
        GenSegError: as `read_slices`.
    """
    with suppress_stderr():
        return next(_read_headers(list_folder(path) if path.is_dir() else [path]), None)


def _read_headers(files: Iterable[Path]) -> Iterator[SliceHeader]:
    for file in files:
        if file.name.startswith(".") or not file.is_file():
            continue
        head = read_head(file)
        if not may_hold_image(head):
            continue
        header = _open(file)
        if header is not None:
            yield _parse(file, header)
        elif is_dicom(head) or file.name.lower().endswith(_DICOM_SUFFIXES):
            raise GenSegError(f"{file}: truncated or damaged; copy or export the file again")


def _open(file: Path) -> sitk.ImageFileReader | None:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    try:
        if exceeds_file(file):
            return None
        reader.ReadImageInformation()
    except (RuntimeError, OSError):
        return None
    return reader


def _parse(file: Path, header: sitk.ImageFileReader) -> SliceHeader:
    def text(tag: str) -> str:
        return header.GetMetaData(tag).strip("\0 ") if header.HasMetaDataKey(tag) else ""

    def numbers(tag: str) -> np.ndarray:
        try:
            return np.array([float(part) for part in text(tag).split("\\")])
        except ValueError:
            return np.empty(0)

    spacing, axes = numbers("0028|0030"), numbers("0020|0037")
    slope, intercept = numbers("0028|1053"), numbers("0028|1052")
    return SliceHeader(
        file=file,
        series=text("0020|000e"),
        number=text("0020|0011"),
        acquisition=text("0020|0012"),
        thickness=float(numbers("0018|0050")[0]) if numbers("0018|0050").size else math.nan,
        position=numbers("0020|0032"),
        rows=axes[:3],
        columns=axes[3:],
        size=tuple(header.GetSize()),
        spacing=tuple(header.GetSpacing()[:2]),
        has_spacing=spacing.size == 2 and bool((spacing > 0).all()),
        is_ct=f"{text('0008|0016')}.".startswith(f"{_CT_CLASS}."),
        is_rescaled=slope.size == intercept.size == 1,
        fits_int16=_fits_int16(numbers("0028|0101"), numbers("0028|0103"), slope, intercept),
        patient=(text("0010|0010"), text("0010|0020")),
        is_deidentified=text("0012|0062").upper() == "YES",
    )


def _fits_int16(
    bits: np.ndarray, signed: np.ndarray, slope: np.ndarray, intercept: np.ndarray
) -> bool:
    if not bits.size == signed.size == 1:
        return False
    scale = float(slope[0]) if slope.size else 1.0
    shift = float(intercept[0]) if intercept.size else 0.0
    low = -(2 ** (bits[0] - 1)) * signed[0]
    ends = sorted(scale * end + shift for end in (low, low + 2 ** bits[0] - 1))
    is_integer = scale.is_integer() and shift.is_integer()
    return bool(is_integer and ends[0] >= -(2**15) and ends[1] < 2**15)
