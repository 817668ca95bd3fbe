"""Find damage in image files that SimpleITK silently repairs.

ITK fills missing voxels of a NIfTI file with zeros or uninitialized memory, replaces a spacing of
0 by 1 mm, and NaN by 0.
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
from .metaimage_checks import require_valid_metaimage
from .nrrd_checks import MAGIC, require_valid_nrrd
from .size_checks import ALWAYS_ALLOWED, require_plausible_size

_CHUNK = 1 << 20
_MAX_VOXEL_OFFSET = 1 << 31
_MAX_HEADER = 540
_FLOAT_TYPES = {16: "f4", 64: "f8"}


class _Layout(NamedTuple):
    """Offsets and `struct` formats of header fields, which differ between NIfTI-1 and NIfTI-2."""

    size: int
    dim: tuple[int, str]
    datatype: int
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]


_LAYOUTS = (
    _Layout(348, dim=(40, "8h"), datatype=70, pixdim=(76, "8f"), vox_offset=(108, "f")),
    _Layout(540, dim=(16, "8q"), datatype=12, pixdim=(104, "8d"), vox_offset=(168, "q")),
)


class _Header(NamedTuple):
    """Fields of a NIfTI header; `byte_order` is "<" or ">"."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    datatype: int
    bits: int
    voxel_offset: int
    byte_order: str

    @property
    def file_size(self) -> int:
        """The size in bytes that the uncompressed file must have."""
        return self.voxel_offset + math.prod(self.shape) * self.bits // 8


def require_valid_file(path: Path) -> None:
    """Read a file to its end and check it against its header.

    NIfTI files are checked for length and spacing, MetaImage files for length, and NRRD files for
    a valid header. Files of other formats are only decompressed; ITK notices missing voxels.

    Raises:
        GenSegError: the file cannot be read, is truncated or damaged, or the spacing is not
            positive (nifti1.h, https://nifti.nimh.nih.gov).
    """
    with _open_decompressed(path) as stream:
        head = stream.read(_MAX_HEADER)
        header = _parse(path, head) if _is_nifti(path) else None
        if header is not None:
            require_plausible_size(path, header.file_size, [path])
        length = len(head)
        while chunk := stream.read(_CHUNK):
            length += len(chunk)
            if header is not None and length > header.file_size + ALWAYS_ALLOWED:  # gzip bomb
                raise GenSegError(
                    f"{path}: longer than its header declares; copy or export the file again"
                )
        if path.name.lower().endswith((".mha", ".mhd")):
            require_valid_metaimage(path)
        if head.startswith(MAGIC):
            require_valid_nrrd(path)
    if header is not None:
        _check_nifti(path, header, length)


def find_non_finite(path: Path) -> np.ndarray:
    """Return the flat indices (x fastest) of NaN and infinite voxels, which ITK reads as 0.

    Only NIfTI files of floats have any; the result is empty for all other files.

    Raises:
        GenSegError: the file cannot be read.
    """
    if not _is_nifti(path):
        return np.empty(0, np.intp)
    with _open_decompressed(path) as stream:
        head = stream.read(_MAX_HEADER)
        header = _parse(path, head)
        if header.datatype not in _FLOAT_TYPES:
            return np.empty(0, np.intp)
        stream.read(max(0, header.voxel_offset - len(head)))
        return _scan_non_finite(stream, head[header.voxel_offset :], header)


def _scan_non_finite(stream: IO[bytes], buffer: bytes, header: _Header) -> np.ndarray:
    """Scan the voxels in chunks; `buffer` holds those that were read with the header."""
    dtype = np.dtype(header.byte_order + _FLOAT_TYPES[header.datatype])
    count, done = math.prod(header.shape), 0
    found = [np.empty(0, np.intp)]
    while done < count and len(data := buffer + stream.read(_CHUNK)) >= dtype.itemsize:
        voxels = np.frombuffer(data, dtype, min(len(data) // dtype.itemsize, count - done))
        found.append(done + np.flatnonzero(~np.isfinite(voxels)))
        done, buffer = done + len(voxels), data[voxels.nbytes :]
    return np.concatenate(found)


def _is_nifti(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith((".nii", ".nii.gz"))


@contextmanager
def _open_decompressed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file and decompress gzip, whatever its suffix."""
    try:
        with path.open("rb") as stream:
            is_gzip = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
            yield cast(IO[bytes], gzip.GzipFile(fileobj=stream)) if is_gzip else stream
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise GenSegError(f"{path}: truncated or damaged; copy or export the file again") from None
    except OSError as error:
        raise GenSegError(
            f"{path}: cannot be read ({error.strerror or error}); check the path"
        ) from None


def _parse(path: Path, head: bytes) -> _Header:
    for order in "<>":
        for layout in _LAYOUTS:
            if len(head) >= layout.size and struct.unpack_from(order + "i", head)[0] == layout.size:
                return _parse_layout(layout, order, path, head)
    raise GenSegError(f"{path}: not a NIfTI file; copy or export the file again")


def _parse_layout(layout: _Layout, order: str, path: Path, head: bytes) -> _Header:
    def field(offset: int, kind: str) -> tuple:
        return struct.unpack_from(order + kind, head, offset)

    axes, *sizes = field(*layout.dim)
    datatype, bits = field(layout.datatype, "2h")
    (offset,) = field(*layout.vox_offset)
    width = np.dtype(_FLOAT_TYPES[datatype]).itemsize * 8 if datatype in _FLOAT_TYPES else bits
    has_size = 1 <= axes <= 7 and min(sizes[:axes]) >= 1
    if not has_size or bits < 1 or bits != width or not 0 <= offset < _MAX_VOXEL_OFFSET:
        raise GenSegError(f"{path}: invalid NIfTI header; copy or export the file again")
    spacing = field(*layout.pixdim)[1 : 1 + min(axes, 3)]
    return _Header(tuple(sizes[:axes]), spacing, datatype, bits, int(offset), order)


def _check_nifti(path: Path, header: _Header, length: int) -> None:
    if length < header.file_size:
        raise GenSegError(
            f"{path}: truncated ({length} of {header.file_size} bytes); copy or export the file "
            "again"
        )
    if not all(math.isfinite(step) and step > 0 for step in header.spacing):
        spacing = " x ".join(f"{step:g}" for step in header.spacing)
        raise GenSegError(
            f"{path}: the spacing {spacing} mm is not positive; correct it in the header"
        )
