"""Finds in image files what SimpleITK mends without a word.

ITK fills what is missing of a NIfTI file with zeros or with whatever the memory held, puts a
spacing of 1 mm where the header says 0, and 0 where a voxel is NaN; none may reach a training.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np

from ..errors import GenSegError
from .claimed_sizes import HARMLESS, require_plausible
from .intact_metaimage import require_sound_metaimage
from .intact_nrrd import MAGIC, require_sound_nrrd

_CHUNK = 1 << 20
_LAST_START = 1 << 31
_LONGEST_HEADER = 540


class _Layout(NamedTuple):
    """Where the fields of interest lie: NIfTI-1 and NIfTI-2 differ in places and widths."""

    size: int
    dim: tuple[int, str]
    kind: int
    spacing: tuple[int, str]
    start: tuple[int, str]


class _Header(NamedTuple):
    """What a NIfTI header says; `start` is the byte of the first voxel, `order` "<" or ">"."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    kind: int
    bits: int
    start: int
    order: str

    @property
    def end(self) -> int:
        """The byte after the last voxel."""
        return self.start + math.prod(self.shape) * self.bits // 8


_LAYOUTS = (
    _Layout(348, dim=(40, "8h"), kind=70, spacing=(76, "8f"), start=(108, "f")),
    _Layout(540, dim=(16, "8q"), kind=12, spacing=(104, "8d"), start=(168, "q")),
)
_FLOATS = {16: "f4", 64: "f8"}


def require_intact(path: Path) -> None:
    """Read a file to its end and compare its length and spacing with its NIfTI header.

    A MetaImage is held to its header as well, and the header of a NRRD file to the format. Other
    formats are only unpacked where they are packed; their readers notice missing voxels.

    Raises:
        GenSegError: the file cannot be read, is truncated or damaged, or its spacing is not above
            zero (nifti1.h, https://nifti.nimh.nih.gov).
    """
    with _unpacked(path) as stream:
        head = stream.read(_LONGEST_HEADER)
        header = _parse(path, head) if _is_nifti(path) else None
        if header is not None:
            require_plausible(path, header.end, [path])
        length = len(head)
        while chunk := stream.read(_CHUNK):
            length += len(chunk)
            _stop_bombs(path, length, header)
        if path.name.lower().endswith((".mha", ".mhd")):
            require_sound_metaimage(path)
        if head.startswith(MAGIC):
            require_sound_nrrd(path)
    if header is not None:
        _check_header(path, header, length)


def _stop_bombs(path: Path, length: int, header: _Header | None) -> None:
    """Unpack no file of a stranger for ever."""
    if header is not None and length > header.end + HARMLESS:
        raise GenSegError(f"{path}: longer than its header says; copy or export it again")


def find_not_finite(path: Path) -> np.ndarray:
    """Find the NaN and infinite voxels of a NIfTI file of floats, which ITK reads as 0.

    Returns:
        Their places, counted with x fastest; none for any other file.

    Raises:
        GenSegError: as `require_intact`.
    """
    if not _is_nifti(path):
        return np.empty(0, np.intp)
    with _unpacked(path) as stream:
        head = stream.read(_LONGEST_HEADER)
        header = _parse(path, head)
        if header.kind not in _FLOATS:
            return np.empty(0, np.intp)
        stream.read(max(0, header.start - len(head)))
        return _not_finite(stream, head[header.start :], header)


def _not_finite(stream: IO[bytes], ahead: bytes, header: _Header) -> np.ndarray:
    """Look at the voxels piece by piece; `ahead` are those that were read with the header."""
    kind = np.dtype(header.order + _FLOATS[header.kind])
    count, seen = math.prod(header.shape), 0
    places = [np.empty(0, np.intp)]
    while seen < count and len(data := ahead + stream.read(_CHUNK)) >= kind.itemsize:
        voxels = np.frombuffer(data, kind, min(len(data) // kind.itemsize, count - seen))
        places.append(seen + np.flatnonzero(~np.isfinite(voxels)))
        seen, ahead = seen + len(voxels), data[voxels.nbytes :]
    return np.concatenate(places)


def _is_nifti(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith((".nii", ".nii.gz"))


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """Open a file, gunzipped where it is packed, whatever its name says."""
    try:
        with path.open("rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if packed else stream
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise GenSegError(f"{path}: truncated or damaged; copy or export it again") from None
    except OSError as error:
        raise GenSegError(
            f"{path}: cannot be read ({error.strerror or error}); check the path"
        ) from None


def _parse(path: Path, head: bytes) -> _Header:
    for order in "<>":
        for layout in _LAYOUTS:
            if len(head) >= layout.size and struct.unpack_from(order + "i", head)[0] == layout.size:
                return _parse_as(layout, order, path, head)
    raise GenSegError(f"{path}: no NIfTI header is in it; copy or export it again")


def _parse_as(layout: _Layout, order: str, path: Path, head: bytes) -> _Header:
    def field(place: int, kind: str) -> tuple:
        return struct.unpack_from(order + kind, head, place)

    axes, *sizes = field(*layout.dim)
    kind, bits = field(layout.kind, "2h")
    (start,) = field(*layout.start)
    width = np.dtype(_FLOATS[kind]).itemsize * 8 if kind in _FLOATS else bits
    sized = 1 <= axes <= 7 and min(sizes[:axes]) >= 1
    if not sized or bits < 1 or bits != width or not 0 <= start < _LAST_START:
        raise GenSegError(f"{path}: the NIfTI header makes no sense; copy or export it again")
    spacing = field(*layout.spacing)[1 : 1 + min(axes, 3)]
    return _Header(tuple(sizes[:axes]), spacing, kind, bits, int(start), order)


def _check_header(path: Path, header: _Header, length: int) -> None:
    if length < header.end:
        raise GenSegError(
            f"{path}: truncated, {length} of {header.end} bytes are there; copy or export it again"
        )
    if not all(math.isfinite(step) and step > 0 for step in header.spacing):
        shown = " x ".join(f"{step:g}" for step in header.spacing)
        raise GenSegError(f"{path}: the spacing {shown} mm is not above zero; mend the header")
