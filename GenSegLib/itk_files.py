"""SimpleITK's reading and writing, made silent, strict and atomic."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from .errors import GenSegError
from .intact_files import require_intact

WRITABLE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
_SOP_CLASS = "0008|0016"
_DICOM_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_RIGHT_ANGLE = 1e-3
_UNEVEN = 0.05
_stderr_lock = threading.RLock()


def load(path: Path) -> sitk.Image:
    """Read a file or the one DICOM series of a folder as a 3-D image, of any voxel type.

    Raises:
        GenSegError: it cannot be read, is truncated, is not three-dimensional, or its grid has no
            valid spacing or no right angles.
    """
    image = _load_series(path) if path.is_dir() else _load_file(path)
    _check_grid(path, image)
    return image


def load_header(path: Path) -> dict[str, str]:
    """Read the key-value pairs of a file's header; raises as `load` does."""
    return header_of(_open(path))


def header_of(source: sitk.Image | sitk.ImageFileReader) -> dict[str, str]:
    """Give the key-value pairs of a header; values that are not UTF-8 are taken as Latin-1."""
    keys = (key for key in source.GetMetaDataKeys() if key.isascii())
    return {key: _as_text(source.GetMetaData(key)) for key in keys}


def _as_text(value: str) -> str:
    """Replace the surrogates that SimpleITK puts in place of bytes that are not UTF-8."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def save(image: sitk.Image, path: Path, header: Mapping[str, str] | None = None) -> None:
    """Write a compressed file under another name, read it back, and rename it.

    Raises:
        GenSegError: the format is not among `WRITABLE_SUFFIXES`, the folder cannot be written, or
            the disk is full.
    """
    if not path.name.lower().endswith(WRITABLE_SUFFIXES):
        known = ", ".join(WRITABLE_SUFFIXES)
        raise GenSegError(f"{path}: this format is not written; choose one of {known}")
    for key, value in (header or {}).items():
        image.SetMetaData(key, value)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        _write_verified(image, temporary, path)
        temporary.replace(path)
    except OSError as error:
        raise GenSegError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        _remove(temporary)


def _write_verified(image: sitk.Image, temporary: Path, path: Path) -> None:
    """Write and read back: ITK does not notice every write that a full disk cut short."""
    try:
        with _quiet():
            sitk.WriteImage(image, str(temporary), useCompression=True)
        load(temporary)
    except (RuntimeError, GenSegError):
        raise GenSegError(f"{path}: cannot be written whole; is the disk full? Make room") from None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def _open(path: Path) -> sitk.ImageFileReader:
    require_intact(path)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with _quiet():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise GenSegError(f"{path}: not an image that can be read ({_reason(error)})") from None
    return reader


def _load_file(path: Path) -> sitk.Image:
    reader = _open(path)
    _check_kind(path, reader)
    size = reader.GetSize()
    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *(0 for _ in size[3:])])
    return _execute(path, reader)


def _execute(path: Path, reader: sitk.ImageFileReader | sitk.ImageSeriesReader) -> sitk.Image:
    try:
        with _quiet():
            return reader.Execute()
    except RuntimeError:
        raise GenSegError(f"{path}: truncated or damaged; copy or export it again") from None


def _check_kind(path: Path, reader: sitk.ImageFileReader) -> None:
    """Refuse by its header what is no volume, before its voxels are read."""
    sop_class = reader.GetMetaData(_SOP_CLASS) if reader.HasMetaDataKey(_SOP_CLASS) else ""
    if sop_class.strip("\0 ") == _DICOM_SEGMENTATION:
        raise GenSegError(f"{path}: DICOM SEG is not read; export it from Slicer as .seg.nrrd")
    size, spacing = reader.GetSize(), reader.GetSpacing()[:3]
    if len(size) < 3:
        raise GenSegError(f"{path}: a {len(size)}-D image; a 3-D volume is needed")
    if any(length > 1 for length in size[3:]):
        raise GenSegError(
            f"{path}: a {len(size)}-D image of {' x '.join(map(str, size))} voxels; "
            f"a 3-D volume is needed, take one time point or channel of it"
        )
    if not all(np.isfinite(step) and step > 0 for step in spacing):
        shown = " x ".join(f"{step:g}" for step in spacing)
        raise GenSegError(f"{path}: the spacing {shown} mm is not above zero; mend the header")


def _load_series(folder: Path) -> sitk.Image:
    with _quiet():
        series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
        files = [sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), s) for s in series]
    if len(series) != 1:
        found = f"{len(series)} DICOM series are" if series else "no DICOM series is"
        raise GenSegError(f"{folder}: {found} in this folder; give a folder of one series")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(files[0])
    reader.MetaDataDictionaryArrayUpdateOn()
    image = _execute(folder, reader)
    _check_slices(folder, reader, image)
    return image


def _check_slices(folder: Path, reader: sitk.ImageSeriesReader, image: sitk.Image) -> None:
    """Refuse a series with missing or doubled slices, which ITK would stretch to fit."""
    direction = np.reshape(image.GetDirection(), (3, 3))
    normal = np.cross(direction[:, 0], direction[:, 1])
    count = len(reader.GetFileNames()) if image.GetDepth() > 2 else 0
    texts = [reader.GetMetaData(k, "0020|0032") for k in range(count)]
    heights = np.array([np.array(text.split("\\"), float) @ normal for text in texts])
    steps = np.abs(np.diff(heights))
    if steps.size and np.ptp(steps) > _UNEVEN * np.median(steps):
        raise GenSegError(
            f"{folder}: slices are missing, doubled or uneven ({steps.min():.2f} to "
            f"{steps.max():.2f} mm apart); give the whole series"
        )


def _check_grid(path: Path, image: sitk.Image) -> None:
    geometry = np.array([*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()])
    direction = geometry[6:].reshape(3, 3)
    if not np.isfinite(geometry).all():
        raise GenSegError(f"{path}: the header places the voxels nowhere; mend its geometry")
    if np.abs(direction.T @ direction - np.eye(3)).max() > _RIGHT_ANGLE:
        raise GenSegError(
            f"{path}: the axes are not at right angles (a tilted gantry?); resample it first"
        )


def _reason(error: RuntimeError) -> str:
    """Take the one telling line out of an ITK exception."""
    found = re.search(r"ERROR: (?:\w+\(0x[0-9a-f]+\): )?(.*)", str(error))
    text = found.group(1) if found else str(error).strip().splitlines()[-1]
    return text.strip().rstrip(":.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep file descriptor 2 to ourselves: ITK, MetaIO and HDF5 print there from C++.

    What they print is in the exception as well, or is found by the checks here. A line that
    another thread prints meanwhile is lost.
    """
    with _stderr_lock:
        try:
            kept = os.dup(2)
        except OSError:  # a process without a standard error, such as pythonw's
            kept = None
        if kept is not None:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            if kept is not None:
                os.dup2(kept, 2)
                os.close(kept)
