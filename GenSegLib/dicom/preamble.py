"""What the first bytes of a DICOM file say: whether it is one, and what kind of object it holds.

Light: the standard library alone.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import GenSegError

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
_LENGTH = 1024
_STORAGE = "1.2.840.10008.5.1.4.1.1."
# Objects that lie beside images and hold none: DICOM PS3.6, table A-1.
_NO_IMAGES = (
    "1.2.840.10008.1.3.10",
    *(f"{_STORAGE}{number}" for number in ("9.", "11.", "66", "67", "68", "77.1.5.4", "88.")),
    *(f"{_STORAGE}{number}" for number in ("104.", "481.3", "481.5", "481.8", "130")),
)


def read_head(path: Path) -> bytes:
    """Read as many bytes as the other functions look at.

    Raises:
        GenSegError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(_LENGTH)
    except OSError as error:
        raise GenSegError(f"{path}: cannot be read ({error.strerror or error})") from None


def is_dicom(head: bytes) -> bool:
    """Whether these are the first bytes of a DICOM file (PS3.10, 7.1)."""
    return head[128:132] == b"DICM"


def object_class(head: bytes) -> str:
    """Give the SOP class of the object; empty where the file does not say it at its start."""
    place = head.find(b"\x02\x00\x02\x00UI")
    if place < 0:
        return ""
    length = int.from_bytes(head[place + 6 : place + 8], "little")
    return head[place + 8 : place + 8 + length].decode("ascii", "replace").strip("\0 ")


def is_segmentation(path: Path) -> bool:
    """Whether this is a DICOM SEG (PS3.3, A.51); not where it cannot be read."""
    try:
        return path.is_file() and object_class(read_head(path)) in SEGMENTATIONS
    except (OSError, GenSegError):
        return False


def holds_image(head: bytes) -> bool:
    """Whether the object may be an image: no segmentation, report, plan or directory."""
    return not object_class(head).startswith(_NO_IMAGES)
