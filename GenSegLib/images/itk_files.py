"""Strict and atomic reading and writing of image files by SimpleITK, without console output."""

from __future__ import annotations

import locale
import math
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name

from ..errors import GenSegError
from ..files import fsync
from .file_checks import require_valid_file
from .nifti_header import ORTHOGONALITY_TOLERANCE
from .size_checks import require_plausible_size

WRITABLE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".png")
_DETACHED_SUFFIXES = (".mhd", ".nhdr", ".hdr")
_stderr_lock = threading.RLock()


def open_image(path: Path) -> sitk.ImageFileReader:
    """Check a file and read its header.

    Raises:
        GenSegError: it cannot be read, or is damaged.
    """
    require_valid_file(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with suppress_stderr():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise GenSegError(
            f"{path}: not a readable image ({_reason(error)}); export it again"
        ) from None
    return reader


def load_image(path: Path, reader: sitk.ImageFileReader | None = None) -> sitk.Image:
    """Read an image file as a 3-D image, with the file's voxel type; 2-D images get one slice.

    Args:
        path: of the file.
        reader: of `open_image`, where the header was read before.

    Raises:
        GenSegError: it cannot be read, is damaged, is not a volume, or its grid is invalid.
    """
    reader = reader or open_image(path)
    _require_volume(path, reader)
    _require_size(path, reader)
    size = reader.GetSize()
    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *(0 for _ in size[3:])])
    try:
        with suppress_stderr():
            image = reader.Execute()
    except RuntimeError:
        raise GenSegError(f"{path}: truncated or damaged; copy or export the file again") from None
    if image.GetDimension() == 2:
        image = _with_slice_axis(image)
    require_valid_grid(path, image)
    return image


def _with_slice_axis(image: sitk.Image) -> sitk.Image:
    """Return a 2-D image as a volume of one slice of 1 mm, with its metadata."""
    volume = sitk.JoinSeries(image)
    for key in image.GetMetaDataKeys():
        volume.SetMetaData(key, image.GetMetaData(key))
    return volume


def require_valid_grid(path: Path, image: sitk.Image) -> None:
    """Raise GenSegError unless the geometry is finite and the axes are orthogonal."""
    geometry = np.array([*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()])
    direction = geometry[6:].reshape(3, 3)
    if not np.isfinite(geometry).all():
        raise GenSegError(f"{path}: origin or axes are NaN or infinite; correct the header")
    if np.abs(direction.T @ direction - np.eye(3)).max() > ORTHOGONALITY_TOLERANCE:
        raise GenSegError(
            f"{path}: the axes are not orthogonal (gantry tilt?); resample the image first"
        )


def header_fields(source: sitk.Image | sitk.ImageFileReader) -> dict[str, str]:
    """Return the key-value pairs of a header; values that are not UTF-8 are read as Latin-1."""
    keys = (key for key in source.GetMetaDataKeys() if key.isascii())
    return {key: _decode(source.GetMetaData(key)) for key in keys}


def _decode(value: str) -> str:
    """Replace the surrogates that SimpleITK uses for bytes that are not UTF-8."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def save_image(image: sitk.Image, path: Path, header: Mapping[str, str] | None = None) -> None:
    """Write a compressed file by SimpleITK; see `write_verified`.

    Several values per voxel in a file with further header fields are layers of a segmentation,
    which 3D Slicer expects as a list, not as the vectors that ITK writes.
    """
    for key, value in (header or {}).items():
        image.SetMetaData(key, value)

    def write(temporary: Path) -> None:
        with suppress_stderr():
            sitk.WriteImage(image, str(temporary), useCompression=True)
        if header and image.GetNumberOfComponentsPerPixel() > 1:
            content = temporary.read_bytes()
            temporary.write_bytes(content.replace(b"kinds: vector", b"kinds: list", 1))
        load_image(temporary)

    write_verified(path, write)


def write_verified(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under a temporary name, read it back, and rename it.

    Args:
        path: of the file.
        write: writes a file and checks it, since ITK misses some writes that a full disk truncated.

    Raises:
        GenSegError: the format is not among `WRITABLE_SUFFIXES`, the folder is not writable, or
            the disk is full.
    """
    if not path.name.lower().endswith(WRITABLE_SUFFIXES):
        known = ", ".join(WRITABLE_SUFFIXES)
        raise GenSegError(f"{path}: unsupported output format; choose one of {known}")
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        _write_completely(temporary, path, write)
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    except OSError as error:
        raise GenSegError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        _remove(temporary)


def _write_completely(temporary: Path, path: Path, write: Callable[[Path], None]) -> None:
    try:
        write(temporary)
    except (RuntimeError, OSError, GenSegError):
        raise GenSegError(
            f"{path}: could not be written completely; free disk space and try again"
        ) from None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


@contextmanager
def suppress_stderr() -> Iterator[None]:
    """Discard what ITK, MetaIO, GDCM and HDF5 print to file descriptor 2, and use the C locale.

    Exceptions or our own checks report the same faults. Output of other threads is lost meanwhile.
    With a decimal comma in the process's locale, these libraries would misread and miswrite
    numbers in image headers.
    """
    with _stderr_lock, _c_locale():
        try:
            original = os.dup(2)
        except OSError:  # a process without standard error, such as pythonw
            original = None
        if original is not None:
            with Path(os.devnull).open("wb") as null:
                os.dup2(null.fileno(), 2)
        try:
            yield
        finally:
            if original is not None:
                os.dup2(original, 2)
                os.close(original)


@contextmanager
def _c_locale() -> Iterator[None]:
    original = locale.setlocale(locale.LC_NUMERIC)
    locale.setlocale(locale.LC_NUMERIC, "C")
    try:
        yield
    finally:
        locale.setlocale(locale.LC_NUMERIC, original)


def _require_size(path: Path, reader: sitk.ImageFileReader) -> None:
    voxel = sitk.Image([1] * 3, reader.GetPixelID())
    width = voxel.GetSizeOfPixelComponent() * reader.GetNumberOfComponents()
    detached = path.name.lower().endswith(_DETACHED_SUFFIXES)
    sources = path.parent.iterdir() if detached else [path]
    require_plausible_size(path, math.prod(reader.GetSize()) * width, sources)


def _require_volume(path: Path, reader: sitk.ImageFileReader) -> None:
    """Check dimensions and spacing in the header before voxels are read."""
    size, spacing = reader.GetSize(), reader.GetSpacing()[:3]
    if len(size) < 2:
        raise GenSegError(f"{path}: a {len(size)}-D image; a 2-D image or volume is required")
    if any(length > 1 for length in size[3:]):
        raise GenSegError(
            f"{path}: a {len(size)}-D image of {' x '.join(map(str, size))} voxels; extract one "
            "time point or channel as a 3-D volume"
        )
    if not all(np.isfinite(step) and step > 0 for step in spacing):
        text = " x ".join(f"{step:g}" for step in spacing)
        raise GenSegError(
            f"{path}: the spacing {text} mm is not positive; correct it in the header"
        )


def _reason(error: RuntimeError) -> str:
    """Extract the informative line of an ITK exception."""
    found = re.search(r"ERROR: (?:\w+\(0x[0-9a-f]+\): )?(.*)", str(error))
    text = found.group(1) if found else str(error).strip().splitlines()[-1]
    return text.strip().rstrip(":.")
