"""The headers of DICOM slices, as far as a volume needs them, read by GDCM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from .errors import GenSegError
from .quiet import quiet

_CT = "1.2.840.10008.5.1.4.1.1.2"
_DICOM_ENDINGS = (".dcm", ".ima", ".dicom")
# Objects that lie beside images and hold none: DICOM PS3.6, table A-1.
_STORAGE = "1.2.840.10008.5.1.4.1.1."
_NO_IMAGES = (
    "1.2.840.10008.1.3.10",
    *(f"{_STORAGE}{number}" for number in ("9.", "11.", "66", "67", "68", "77.1.5.4", "88.")),
    *(f"{_STORAGE}{number}" for number in ("104.", "481.3", "481.5", "481.8", "130")),
)
_HEAD = 1024


@dataclass(frozen=True, eq=False)
class Slice:
    """One DICOM file that holds an image, with what its header says.

    `position` is the center of the first voxel and `rows`, `columns` are the directions in which
    a row and a column run, all LPS in mm and empty where the header does not say; `size` counts
    columns, rows and frames, `spacing` is that of columns and rows. `rescaled` tells whether there
    are a rescale slope and intercept. `patient` holds name and ID, `anonymous` is what the header
    says of them.
    """

    file: Path
    series: str
    number: str
    position: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    is_ct: bool
    rescaled: bool
    patient: tuple[str, str]
    anonymous: bool

    @property
    def is_placed(self) -> bool:
        """Whether the header says where the slice lies."""
        return self.position.size == self.rows.size == self.columns.size == 3

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
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise GenSegError(f"{folder}: cannot be read ({error.strerror or error})") from None
    with quiet():
        return list(_images(files))


def _images(files: list[Path]) -> Iterator[Slice]:
    for file in files:
        if file.name.startswith("."):
            continue
        head = _head(file)
        named_dicom = head[128:132] == b"DICM" or file.name.lower().endswith(_DICOM_ENDINGS)
        if _holds_no_image(head):
            continue
        header = _header(file)
        if header is not None:
            yield _slice(file, header)
        elif named_dicom:
            raise GenSegError(f"{file}: truncated or damaged; copy or export it again")


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_HEAD)
    except OSError as error:
        raise GenSegError(f"{file}: cannot be read ({error.strerror or error})") from None


def _holds_no_image(head: bytes) -> bool:
    """Look up the class of object in the file meta information (PS3.10, 7.1)."""
    place = head.find(b"\x02\x00\x02\x00UI")
    if place < 0:
        return False
    length = int.from_bytes(head[place + 6 : place + 8], "little")
    name = head[place + 8 : place + 8 + length].decode("ascii", "replace").strip("\0 ")
    return name.startswith(_NO_IMAGES)


def _header(file: Path) -> sitk.ImageFileReader | None:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
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
        is_ct=text("0008|0016") == _CT,
        rescaled=slope.size == intercept.size == 1,
        patient=(text("0010|0010"), text("0010|0020")),
        anonymous=text("0012|0062").upper() == "YES",
    )
