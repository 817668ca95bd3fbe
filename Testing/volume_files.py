"""Volumes and files for tests: oblique grids, files of other programs, DICOM series."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name

from GenSegLib.datasets.image_io import Volume

SUFFIXES = [".nii", ".nii.gz", ".nrrd", ".mha"]


def oblique_affine(angles: tuple[float, float, float] = (0.3, -0.2, 0.5)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.diag([0.7, 1.1, 3.0])
    for axis, angle in enumerate(angles):
        one, other = (k for k in range(3) if k != axis)
        rotation = np.eye(4)
        rotation[[one, other], [one, other]] = np.cos(angle)
        rotation[one, other], rotation[other, one] = -np.sin(angle), np.sin(angle)
        affine = rotation @ affine
    affine[:3, 3] = 12.5, -40.0, 7.25
    return affine


def numbered_volume(affine: np.ndarray, shape: tuple[int, int, int] = (5, 4, 3)) -> Volume:
    voxels = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    return Volume(voxels, affine)


def write_array(path: Path, array: np.ndarray, *, color: bool = False) -> Path:
    """Write an array in ITK's order (..., z, y, x), as another program would."""
    sitk.WriteImage(sitk.GetImageFromArray(array, isVector=color), str(path))
    return path


def patch_bytes(path: Path, place: int, kind: str, *values: float | bytes) -> Path:
    data = bytearray(path.read_bytes())
    struct.pack_into(kind, data, place, *values)
    path.write_bytes(data)
    return path


def write_dicom_series(folder: Path, heights: list[float], series: str = "1.2.3") -> None:
    folder.mkdir(exist_ok=True)
    for k, height in enumerate(heights):
        image = sitk.GetImageFromArray(np.full((1, 6, 7), k, np.int16))
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
            "0008|0018": f"{series}.{k + 1}",
            "0008|0060": "CT",
            "0020|000d": "1.2",
            "0020|000e": series,
            "0020|0032": f"0\\0\\{height}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for key, value in tags.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{series}_{k}.dcm"))
        writer.Execute(image)


def write_patient_series(folder: Path, patient_id: str) -> None:
    """Write a DICOM series of one slice."""
    folder.mkdir(parents=True)
    image = sitk.GetImageFromArray(np.zeros((1, 6, 7), np.int16))
    for key, value in {"0010|0020": patient_id, "0008|0060": "MR"}.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(folder / "1.dcm"))
