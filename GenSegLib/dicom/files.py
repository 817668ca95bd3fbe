"""Recognize DICOM files and their kind of object by their first bytes.

Light: the standard library alone.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import GenSegError
from ..images.file_names import is_image_file

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_HEAD_LENGTH = 1024
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# SOP classes without pixel data that are stored next to images: DICOM PS3.6, table A-1.
_NON_IMAGE_CLASSES = (
    "1.2.840.10008.1.3.10",
    *(f"{_STORAGE}{number}" for number in ("9.", "11.", "66", "67", "68", "77.1.5.4", "88.")),
    *(f"{_STORAGE}{number}" for number in ("104.", "481.3", "481.5", "481.8", "130")),
)


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
    """Whether a file with these first bytes is a DICOM file (PS3.10, 7.1)."""
    return head[128:132] == b"DICM"


def sop_class(head: bytes) -> str:
    """Return the SOP class UID; empty if it is not in these first bytes."""
    start = head.find(b"\x02\x00\x02\x00UI")
    if start < 0:
        return ""
    length = int.from_bytes(head[start + 6 : start + 8], "little")
    return head[start + 8 : start + 8 + length].decode("ascii", "replace").strip("\0 ")


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


def is_dicom_folder(path: Path) -> bool:
    """Whether the folder directly contains DICOM images and no images of other formats."""
    if not path.is_dir():
        return False
    entries = list_folder(path)
    return not any(map(is_image_file, entries)) and any(map(is_dicom_file, entries))


def list_folder(folder: Path) -> list[Path]:
    """Return the entries of a folder, sorted by name.

    Raises:
        GenSegError: the folder cannot be read.
    """
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise GenSegError(f"{folder}: cannot be read ({error.strerror or error})") from None
