"""The headers of DICOM slices, as far as a volume needs them, read by GDCM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from ..errors import GenSegError
from ..images.quiet import quiet
from .lengths import claims_too_much
from .preamble import holds_image, is_dicom, read_head

_CT = "1.2.840.10008.5.1.4.1.1.2"  # and, with a further number, enhanced and converted ones
_DICOM_ENDINGS = (".dcm", ".ima", ".dicom")


@dataclass(frozen=True, eq=False)
class Slice:
    """One DICOM file that holds an image, with what its header says.

    `position` is the center of the first voxel and `rows`, `columns` are the directions in which
    a row and a column run, all LPS in mm and empty where the header does not say; `size` counts
    columns, rows and frames, `spacing` is that of columns and rows, which GDCM makes up unless
    `is_scaled`. `rescaled` tells whether there are a rescale slope and intercept, `is_short`
    whether all values that its bits can hold are whole numbers of 16 bits after rescaling.
    `patient` holds name and ID, `anonymous` tells whether the header says that they are no real
    ones.
    """

    file: Path
    series: str
    number: str
    position: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    is_scaled: bool
    is_ct: bool
    rescaled: bool
    is_short: bool
    patient: tuple[str, str]
    anonymous: bool

    @property
    def is_placed(self) -> bool:
        """Whether the header says where the slice lies."""
        return self.position.size == self.rows.size == self.columns.size == 3

    @property
    def frames(self) -> int:
        """How many slices the file holds."""
        return math.prod(self.size[2:])

    @property
    def normal(self) -> np.ndarray:
        """The direction in which slices follow each other, as DICOM PS3.3, C.7.6.2 lays it."""
        return np.cross(self.rows, self.columns)

    @property
    def height(self) -> float:
        """The place along the normal in mm; for an axial slice its S coordinate."""
        return float(self.position @ self.normal)


def read_slices(folder: Path) -> list[Slice]:
    """Read the headers of all images in a DICOM folder, sorted by file name.

    Objects without an image (segmentations, reports, plans, DICOMDIR) are left out.

    Raises:
        GenSegError: the folder or a file cannot be read; GDCM alone would leave out truncated
            files without a word.
    """
    with quiet():
        return list(_images(_files(folder)))


def read_first(folder: Path) -> Slice | None:
    """Read the header of one image in a DICOM folder, if there is any; raises as `read_slices`."""
    with quiet():
        return next(_images(_files(folder)), None)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise GenSegError(f"{folder}: cannot be read ({error.strerror or error})") from None


def _images(files: list[Path]) -> Iterator[Slice]:
    for file in files:
        if file.name.startswith("."):
            continue
        head = read_head(file)
        named_dicom = is_dicom(head) or file.name.lower().endswith(_DICOM_ENDINGS)
        if not holds_image(head):
            continue
        header = _header(file)
        if header is not None:
            yield _slice(file, header)
        elif named_dicom:
            raise GenSegError(f"{file}: truncated or damaged; copy or export it again")


def _header(file: Path) -> sitk.ImageFileReader | None:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    try:
        if claims_too_much(file):
            return None
        reader.ReadImageInformation()
    except (RuntimeError, OSError):
        return None
    return reader


def _slice(file: Path, header: sitk.ImageFileReader) -> Slice:
    def text(tag: str) -> str:
        return header.GetMetaData(tag).strip("\0 ") if header.HasMetaDataKey(tag) else ""

    def numbers(tag: str) -> np.ndarray:
        try:
            return np.array([float(part) for part in text(tag).split("\\")])
        except ValueError:
            return np.empty(0)

    steps = numbers("0028|0030")
    axes, slope, intercept = numbers("0020|0037"), numbers("0028|1053"), numbers("0028|1052")
    return Slice(
        file=file,
        series=text("0020|000e"),
        number=text("0020|0011"),
        position=numbers("0020|0032"),
        rows=axes[:3],
        columns=axes[3:],
        size=tuple(header.GetSize()),
        spacing=tuple(header.GetSpacing()[:2]),
        is_scaled=steps.size == 2 and bool((steps > 0).all()),
        is_ct=f"{text('0008|0016')}.".startswith(f"{_CT}."),
        rescaled=slope.size == intercept.size == 1,
        is_short=_is_short(numbers("0028|0101"), numbers("0028|0103"), slope, intercept),
        patient=(text("0010|0010"), text("0010|0020")),
        anonymous=text("0012|0062").upper() == "YES",
    )


def _is_short(bits: np.ndarray, signed: np.ndarray, slope: np.ndarray, start: np.ndarray) -> bool:
    if not bits.size == signed.size == 1:
        return False
    scale = float(slope[0]) if slope.size else 1.0
    shift = float(start[0]) if start.size else 0.0
    low = -(2 ** (bits[0] - 1)) * signed[0]
    ends = sorted(scale * end + shift for end in (low, low + 2 ** bits[0] - 1))
    whole = scale.is_integer() and shift.is_integer()
    return bool(whole and ends[0] >= -(2**15) and ends[1] < 2**15)
