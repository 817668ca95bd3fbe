"""Recognize DICOM files and their kind of object by their first bytes.

Light: the standard library alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from ..errors import GenSegError
from ..images.file_names import is_image_file
from .elements import LONG_VRS, SHORT_VRS, find_values

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_HEAD_LENGTH = 1024
_MEDIA_SOP_CLASS, _SOP_CLASS = (0x0002, 0x0002), (0x0008, 0x0016)
_FIRST_GROUPS = (0x0002, 0x0008)
_MIN_ELEMENTS, _MAX_VALUE = 3, 512
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# SOP classes without pixel data that are stored next to images: DICOM PS3.6, table A-1.
_NON_IMAGE_CLASSES = (
    "1.2.840.10008.1.3.10",
    *(f"{_STORAGE}{number}" for number in ("9.", "11.", "66", "67", "68", "77.1.5.4", "88.")),
    *(f"{_STORAGE}{number}" for number in ("104.", "481.3", "481.5", "481.8", "130")),
)

# SOP classes of 2-D images, whose frames follow each other in time: radiography, mammography,
# fluoroscopy and ultrasound; visible light and ophthalmic photography (PS3.4, table B.5-1).
_PLANAR_CLASSES = frozenset(
    f"{_STORAGE}{number}"
    for number in (
        *("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "3", "3.1", "6", "6.1"),
        *("12.1", "12.2", "77.1.1", "77.1.1.1", "77.1.2", "77.1.2.1", "77.1.4", "77.1.4.1"),
        *("77.1.5.1", "77.1.5.2", "77.1.7"),
    )
)
_SECONDARY_CAPTURE = f"{_STORAGE}7"  # a photo, or a slice that a program derived
_POSITION = (0x0020, 0x0032)


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, as many as the functions below need.

    Raises:
        GenSegError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_LENGTH)
    except OSError as error:
        raise GenSegError(f"{path}: cannot be read ({error.strerror or error})") from None


def is_dicom(head: bytes) -> bool:
    """Whether a file with these first bytes is a DICOM file (PS3.10, 7.1).

    Old archives and some network stores leave out the preamble and "DICM"; such a file begins with
    its first data elements.
    """
    return has_preamble(head) or len(_leading_elements(head)) >= _MIN_ELEMENTS


def has_preamble(head: bytes) -> bool:
    """Whether the file begins with 128 bytes and "DICM"."""
    return head[128:132] == b"DICM"


def sop_class(head: bytes) -> str:
    """Return the SOP class UID; empty if it is not in these first bytes."""
    elements = _leading_elements(head[132:] if has_preamble(head) else head)
    uid = elements.get(_MEDIA_SOP_CLASS) or elements.get(_SOP_CLASS) or b""
    return uid.decode("ascii", "replace").strip("\0 ")


def _leading_elements(data: bytes) -> dict[tuple[int, int], bytes]:
    """Return the elements with short values at the start of a little-endian data set.

    The result is empty if this is none: it begins with group 0002 or 0008, and tags ascend.
    """
    elements: dict[tuple[int, int], bytes] = {}
    start, last = 0, (0, 0)
    while start + 8 <= len(data):
        tag = struct.unpack_from("<HH", data, start)
        if tag <= last or (not elements and tag[0] not in _FIRST_GROUPS):
            return elements if tag > last and elements else {}
        representation = data[start + 4 : start + 6]
        if representation in SHORT_VRS:
            length, header = struct.unpack_from("<H", data, start + 6)[0], 8
        elif representation in LONG_VRS:
            length, header = int.from_bytes(data[start + 8 : start + 12], "little"), 12
        else:
            length, header = struct.unpack_from("<I", data, start + 4)[0], 8
        value = data[start + header : start + header + length]
        if length > _MAX_VALUE or len(value) < length:
            break
        elements[tag], last = value, tag
        start += header + length
    return elements


def may_hold_image(head: bytes) -> bool:
    """Whether the object may be an image, not a segmentation, report, plan or directory."""
    return not sop_class(head).startswith(_NON_IMAGE_CLASSES)


def is_segmentation(path: Path) -> bool:
    """Whether the file is a readable DICOM SEG (PS3.3, A.51)."""
    try:
        return path.is_file() and sop_class(read_head(path)) in SEGMENTATION_CLASSES
    except (OSError, GenSegError):
        return False


def is_dicom_file(path: Path) -> bool:
    """Whether the file is a readable DICOM file that may hold an image."""
    if path.name.startswith(".") or not path.is_file():
        return False
    try:
        head = read_head(path)
    except GenSegError:
        return False
    return is_dicom(head) and may_hold_image(head)


def is_planar_file(path: Path) -> bool:
    """Whether the file is a DICOM image of its own, not a slice of a volume.

    That is a photo, a radiograph, or an ultrasound image or clip.
    """
    if not is_dicom_file(path):
        return False
    uid = sop_class(read_head(path))
    if uid == _SECONDARY_CAPTURE or uid.startswith(f"{_SECONDARY_CAPTURE}."):
        try:
            return not find_values(path, [_POSITION])
        except OSError:
            return False
    return uid in _PLANAR_CLASSES


def is_dicom_folder(path: Path) -> bool:
    """Whether the folder directly contains DICOM images and no images of other formats."""
    if not path.is_dir():
        return False
    entries = list_folder(path)
    return not any(map(is_image_file, entries)) and any(map(is_dicom_file, entries))


def find_series_folders(folder: Path) -> list[Path]:
    """Return the folders with DICOM images within a folder, however deep, sorted by path.

    CDs nest them, as in `DICOM/PAT0/STU0/SER1`. Folders with images of other formats and hidden
    ones are left out.
    """
    return list(_series_folders(folder))


def _series_folders(folder: Path) -> Iterator[Path]:
    if is_dicom_folder(folder):
        yield folder
        return
    for entry in list_folder(folder):
        if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
            yield from _series_folders(entry)


def list_folder(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted by name.

    Raises:
        GenSegError: the folder cannot be read.
    """
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise GenSegError(f"{folder}: cannot be read ({error.strerror or error})") from None
