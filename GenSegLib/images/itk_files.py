"""SimpleITK's reading and writing, made silent, strict and atomic."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from ..dicom.frames import load_frames
from ..dicom.preamble import SEGMENTATIONS
from ..dicom.series import load_series
from ..errors import GenSegError
from ..files import settle
from .claimed_sizes import require_plausible
from .intact_files import require_intact
from .quiet import quiet

WRITABLE_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha")
_SOP_CLASS = "0008|0016"
_RIGHT_ANGLE = 1e-3


def load(path: Path) -> sitk.Image:
    """Read a file or the one DICOM series of a folder as a 3-D image, of any voxel type.

    Raises:
        GenSegError: it cannot be read, is truncated, is not three-dimensional, or its grid has no
            valid spacing or no right angles.
    """
    try:
        is_folder = path.is_dir()
    except OSError as fault:  # a name that is none, or a drive that is away
        raise GenSegError(f"{path}: cannot be read ({fault.strerror}); check the path") from None
    image = load_series(path) if is_folder else _load_file(path)
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
        settle(temporary)
        temporary.replace(path)
        settle(path.parent)
    except OSError as error:
        raise GenSegError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        _remove(temporary)


def _write_verified(image: sitk.Image, temporary: Path, path: Path) -> None:
    """Write and read back: ITK does not notice every write that a full disk cut short."""
    try:
        with quiet():
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
        with quiet():
            reader.ReadImageInformation()
    except RuntimeError as error:
        raise GenSegError(f"{path}: not an image that can be read ({_reason(error)})") from None
    return reader


def _load_file(path: Path) -> sitk.Image:
    reader = _open(path)
    _refuse_dicom(path, reader)
    if _sop_class(reader):
        return load_frames(path)
    _check_kind(path, reader)
    _require_plausible(path, reader)
    size = reader.GetSize()
    if len(size) > 3:
        reader.SetExtractSize([*size[:3], *(0 for _ in size[3:])])
    return _execute(path, reader)


def _require_plausible(path: Path, reader: sitk.ImageFileReader) -> None:
    """Hold the size in a header to what the file, or the detached ones beside it, can hold."""
    voxel = sitk.Image([1] * 3, reader.GetPixelID())
    width = voxel.GetSizeOfPixelComponent() * reader.GetNumberOfComponents()
    detached = path.name.lower().endswith((".mhd", ".nhdr", ".hdr"))
    sources = path.parent.iterdir() if detached else [path]
    require_plausible(path, math.prod(reader.GetSize()) * width, sources)


def _execute(path: Path, reader: sitk.ImageFileReader) -> sitk.Image:
    try:
        with quiet():
            return reader.Execute()
    except RuntimeError:
        raise GenSegError(f"{path}: truncated or damaged; copy or export it again") from None


def _sop_class(reader: sitk.ImageFileReader) -> str:
    """Give the kind of a DICOM object; empty for any other file."""
    text = reader.GetMetaData(_SOP_CLASS) if reader.HasMetaDataKey(_SOP_CLASS) else ""
    return text.strip("\0 ")


def _refuse_dicom(path: Path, reader: sitk.ImageFileReader) -> None:
    """Refuse a DICOM object that is no volume by itself."""
    sop_class = _sop_class(reader)
    if sop_class in SEGMENTATIONS:
        raise GenSegError(f"{path}: a DICOM SEG is a label and no image; give the series' folder")
    if sop_class and math.prod(reader.GetSize()[2:]) == 1:
        raise GenSegError(f"{path}: one slice of a DICOM series; give the folder of its slices")


def _check_kind(path: Path, reader: sitk.ImageFileReader) -> None:
    """Refuse by its header what is no volume, before its voxels are read."""
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
