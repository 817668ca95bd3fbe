"""Read and write NIfTI files: NIfTI-1 and NIfTI-2, gzipped or not, whatever their suffix says.

Pairs of header (.hdr) and voxels (.img) are read, too.

ITK cannot read NIfTI-2 and sheared sforms, replaces NaN by 0 and missing voxels by anything, and
writes the same code, form and unit to every file; so no NIfTI file passes through it.

Light: numpy alone.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import numpy as np

from ..errors import GenSegError
from .nifti_header import (
    MAX_HEADER,
    VOXEL_TYPES,
    NiftiHeader,
    forms_of,
    is_nifti_name,
    is_orthogonal,
    is_pair_name,
    pack_header,
    parse_header,
)
from .size_checks import ALWAYS_ALLOWED, require_plausible_size
from .volume import MAX_CHANNELS, Volume, on_same_grid

_CHUNK = 1 << 20
_COLORS = {128: 3, 2304: 4}
_COMPLEX = (32, 1792, 2048)


def is_nifti_file(path: Path) -> bool:
    """Whether there is a file with the name of a NIfTI file."""
    return is_nifti_name(path) and path.is_file()


def read_header(path: Path) -> NiftiHeader:
    """Read the header of a NIfTI file.

    Raises:
        GenSegError: the file cannot be read, or its header is invalid.
    """
    with open_decompressed(_files_of(path)[0]) as stream:
        return parse_header(path, stream.read(MAX_HEADER))


def require_valid_nifti(path: Path) -> None:
    """Read a NIfTI file to its end and compare its length with the header.

    Raises:
        GenSegError: the file cannot be read, is truncated or damaged, or its header is invalid.
    """
    with _open_voxels(path) as (header, head, stream):
        _read_to_end(path, stream, header, len(head))


def read_nifti(path: Path) -> Volume:
    """Read a volume (channel, x, y, z) with the file's voxel type; scaled values are floats.

    Channels are values along the fourth or fifth axis, or colors. A 2-D image has one slice.

    Raises:
        GenSegError: as `require_valid_nifti`; or the file has more than `MAX_CHANNELS` channels,
            complex voxels, or axes that are not orthogonal.
    """
    with _open_voxels(path) as (header, head, stream):
        colors, dtype = _voxel_type(path, header)
        stored = np.empty(colors * math.prod(header.shape), header.byte_order + dtype)
        _read_voxels(path, stream, header, head, stored.data.cast("B"))
    affine = header.affine
    affine = _with_slice_axis(affine) if len(header.shape) == 2 else affine
    if not np.isfinite(affine).all():
        raise GenSegError(f"{path}: origin or axes are NaN or infinite; correct the header")
    if not is_orthogonal(affine):
        raise GenSegError(
            f"{path}: the axes are not orthogonal (gantry tilt?); resample the image first"
        )
    array = _to_channels(_scale(stored, header), header.shape, colors)
    return Volume(array, affine, header.other_affine, header.has_position, header.warnings)


def write_nifti(path: Path, volume: Volume, like: NiftiHeader | None = None) -> None:
    """Write a volume (channel, x, y, z) as NIfTI-1, compressed if the name ends with `.gz`.

    Several channels lie along the fourth axis.

    Args:
        path: of the file.
        volume: voxels and affine.
        like: header of the image on whose grid the volume is; its forms, codes and units are
            written as they are. Without it, both forms are written from the affine.

    Raises:
        GenSegError: NIfTI-1 cannot hold the volume.
        OSError: the file cannot be written.
        ValueError: the volume is not on the grid of `like`.
    """
    array = volume.array[0] if len(volume.array) == 1 else np.moveaxis(volume.array, 0, -1)
    if array.dtype == bool:
        array = array.view(np.uint8)
    forms = forms_of(volume.affine) if like is None else like.forms
    if like is not None:
        _require_same_grid(volume, like)
    shape = array.shape[:2] if like is not None and len(like.shape) == 2 else array.shape
    head = pack_header(shape, array.dtype.newbyteorder("="), forms)
    with path.open("wb") as file:
        if not path.name.lower().endswith(".gz"):
            _write_voxels(file, head, array)
            return
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as stream:
            _write_voxels(cast(IO[bytes], stream), head, array)


@contextmanager
def open_decompressed(path: Path) -> Iterator[IO[bytes]]:
    """Open a file and decompress gzip, whatever its suffix.

    Raises:
        GenSegError: the file cannot be read, or is truncated or damaged.
    """
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


def _files_of(path: Path) -> tuple[Path, Path]:
    """Return the files of header and voxels, which are the same except in a pair.

    Raises:
        GenSegError: one of a pair is missing.
    """
    if not is_pair_name(path):
        return path, path
    suffixes = (".hdr", ".img") if path.suffix.islower() else (".HDR", ".IMG")
    header, voxels = (path.with_suffix(suffix) for suffix in suffixes)
    for file in (header, voxels):
        if not file.is_file():
            raise GenSegError(f"{path}: {file.name} is missing; copy header and voxels together")
    return header, voxels


@contextmanager
def _open_voxels(path: Path) -> Iterator[tuple[NiftiHeader, bytes, IO[bytes]]]:
    """Open the file with the voxels; yield the header and the bytes that were read already."""
    own, voxels = _files_of(path)
    with open_decompressed(own) as stream:
        head = stream.read(MAX_HEADER)
        header = parse_header(path, head)
        require_plausible_size(path, header.file_size, [voxels])
        if own == voxels:
            yield header, head, stream
            return
    with open_decompressed(voxels) as stream:
        yield header, b"", stream


def _voxel_type(path: Path, header: NiftiHeader) -> tuple[int, str]:
    """Return the number of colors and the type of a voxel of a supported image."""
    shape, colors = header.shape, _COLORS.get(header.datatype, 1)
    if header.datatype in _COMPLEX:
        raise GenSegError(f"{path}: complex voxel values; convert the image to magnitude")
    if header.datatype not in VOXEL_TYPES and colors == 1:
        raise GenSegError(
            f"{path}: voxels of NIfTI type {header.datatype} are not supported; save the image "
            "with integers or floats"
        )
    if len(shape) < 2:
        raise GenSegError(f"{path}: a {len(shape)}-D image; a 2-D image or volume is required")
    if colors * math.prod(shape[3:]) > MAX_CHANNELS:
        raise GenSegError(
            f"{path}: a {len(shape)}-D image of {' x '.join(map(str, shape))} voxels, but at most "
            f"{MAX_CHANNELS} channels are supported; extract one time point or fewer channels"
        )
    return colors, "u1" if colors > 1 else VOXEL_TYPES[header.datatype]


def _to_channels(voxels: np.ndarray, shape: tuple[int, ...], colors: int) -> np.ndarray:
    """Return (channel, x, y, z) of voxels in the order of the file."""
    size = (*shape[:3], 1)[:3]
    array = voxels.reshape((colors, *size, -1), order="F").transpose(4, 0, 1, 2, 3)
    return array.reshape((-1, *size))


def _with_slice_axis(affine: np.ndarray) -> np.ndarray:
    """Return the affine of a 2-D image with a slice of 1 mm where its header has none."""
    if np.linalg.norm(affine[:3, 2]) > 0:
        return affine
    affine = affine.copy()
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    affine[:3, 2] = normal / np.linalg.norm(normal)
    return affine


def _read_voxels(
    path: Path, stream: IO[bytes], header: NiftiHeader, head: bytes, target: memoryview
) -> None:
    """Fill `target` with the voxels, and read on to the end, where gzip has its checksum."""
    stream.read(max(0, header.voxel_offset - len(head)))
    early = head[header.voxel_offset :][: len(target)]
    target[: len(early)] = early
    done = len(early)
    while done < len(target):
        count = cast(gzip.GzipFile, stream).readinto(target[done : done + _CHUNK])
        if not count:
            break
        done += count
    _read_to_end(path, stream, header, header.voxel_offset + done)


def _read_to_end(path: Path, stream: IO[bytes], header: NiftiHeader, length: int) -> None:
    while chunk := stream.read(_CHUNK):
        length += len(chunk)
        if length > header.file_size + ALWAYS_ALLOWED:  # gzip bomb
            raise GenSegError(
                f"{path}: longer than its header declares; copy or export the file again"
            )
    if length < header.file_size:
        raise GenSegError(
            f"{path}: truncated ({length} of {header.file_size} bytes); copy or export the file "
            "again"
        )


def _scale(stored: np.ndarray, header: NiftiHeader) -> np.ndarray:
    """Return values in the computer's byte order; scaled ones as floats."""
    native = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    if (header.slope, header.intercept) == (1.0, 0.0):
        return native
    scaled: np.ndarray = native.astype(np.float64 if native.dtype.itemsize == 8 else np.float32)
    np.multiply(scaled, scaled.dtype.type(header.slope), out=scaled)
    np.add(scaled, scaled.dtype.type(header.intercept), out=scaled)
    return scaled


def _require_same_grid(volume: Volume, like: NiftiHeader) -> None:
    affine = _with_slice_axis(like.affine) if len(like.shape) == 2 else like.affine
    grid = Volume(np.broadcast_to(np.uint8(0), (1, *(*like.shape[:3], 1)[:3])), affine)
    if not on_same_grid(volume, grid):
        raise ValueError("the volume is not on the grid of the header")


def _write_voxels(stream: IO[bytes], head: bytes, array: np.ndarray) -> None:
    """Write the header and the voxels slice by slice, x fastest, little-endian."""
    stream.write(head)
    dtype = array.dtype.newbyteorder("<")
    slices = array.reshape((*array.shape[:2], -1), order="F")
    for index in range(slices.shape[2]):
        stream.write(slices[:, :, index].astype(dtype, copy=False).tobytes(order="F"))
