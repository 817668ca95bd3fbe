"""Tells whole image files from truncated ones, which SimpleITK reads without a word.

ITK fills what is missing of a NIfTI file with zeros or with whatever the memory held, and puts a
spacing of 1 mm where the header says 0; neither may reach a training.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO, NamedTuple

from .errors import GenSegError

_CHUNK = 1 << 20
_LONGEST_HEADER = 540


class _NiftiHeader(NamedTuple):
    """Where the fields of interest lie: NIfTI-1 and NIfTI-2 differ in places and widths."""

    size: int
    dim: tuple[int, str]
    bits: int
    spacing: tuple[int, str]
    voxels: tuple[int, str]


_NIFTI = (
    _NiftiHeader(348, dim=(40, "8h"), bits=72, spacing=(76, "8f"), voxels=(108, "f")),
    _NiftiHeader(540, dim=(16, "8q"), bits=14, spacing=(104, "8d"), voxels=(168, "q")),
)


def require_intact(path: Path) -> None:
    """Read a file to its end and compare its length and spacing with its NIfTI header.

    Other formats are only unpacked where they are packed; their readers notice missing voxels.

    Raises:
        GenSegError: the file cannot be read, is truncated or damaged, or its spacing is not above
            zero (nifti1.h, https://nifti.nimh.nih.gov).
    """
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            head, length = _measure(gzip.GzipFile(fileobj=stream) if packed else stream)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise GenSegError(f"{path}: truncated or damaged; copy or export it again") from None
    except OSError as error:
        raise GenSegError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    if path.name.lower().endswith((".nii", ".nii.gz")):
        _check_nifti(path, head, length)


def _measure(stream: BinaryIO | gzip.GzipFile) -> tuple[bytes, int]:
    """Give the first bytes of a stream and how many there are in all."""
    head = stream.read(_LONGEST_HEADER)
    length = len(head)
    while chunk := stream.read(_CHUNK):
        length += len(chunk)
    return head, length


def _check_nifti(path: Path, head: bytes, length: int) -> None:
    for order in "<>":
        for header in _NIFTI:
            if len(head) >= header.size and struct.unpack_from(order + "i", head)[0] == header.size:
                _check_nifti_fields(path, head, length, header, order)
                return
    raise GenSegError(f"{path}: no NIfTI header is in it; copy or export it again")


def _check_nifti_fields(
    path: Path, head: bytes, length: int, header: _NiftiHeader, order: str
) -> None:
    def field(place: int, kind: str) -> tuple[float, ...]:
        return struct.unpack_from(order + kind, head, place)

    axes, *sizes = (int(size) for size in field(*header.dim))
    (bits,) = field(header.bits, "h")
    (start,) = field(*header.voxels)
    spacing = field(*header.spacing)[1:4]
    if not 1 <= axes <= 7 or min(sizes[:axes]) < 1:
        raise GenSegError(f"{path}: the header has no valid size; export it again")
    expected = start + math.prod(sizes[:axes]) * bits / 8
    if length < expected:
        raise GenSegError(
            f"{path}: truncated, {length} of {int(expected)} bytes are there; "
            f"copy or export it again"
        )
    if not all(math.isfinite(step) and step > 0 for step in spacing[: min(axes, 3)]):
        shown = " x ".join(f"{step:g}" for step in spacing)
        raise GenSegError(f"{path}: the spacing {shown} mm is not above zero; mend the header")
