"""Synthetic DICOM series: slices of a real CT, cropped, shifted, modified and combined."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from pydicom.uid import generate_uid

from GenSegLib.dicom import highdicom_tools

Change = Callable[[int, pydicom.Dataset], None]

ROWS, COLUMNS = 56, 64


def write_ct(
    folder: Path,
    source: Path,
    heights: Sequence[float] = (0, 2, 4, 6),
    change: Change = lambda k, slice_: None,
    series: str = "1.2.3",
) -> Path:
    """Write a slice per height; `change` is called with each before it is saved."""
    folder.mkdir(parents=True, exist_ok=True)
    originals = sorted(source.glob("*.dcm"))
    for k, height in enumerate(heights):
        one = pydicom.dcmread(originals[k % len(originals)])
        voxels = one.pixel_array[200 : 200 + ROWS, 150 : 150 + COLUMNS]
        one.Rows, one.Columns, one.PixelData = ROWS, COLUMNS, voxels.tobytes()
        one.SeriesInstanceUID, one.SeriesNumber = series, int(series.rpartition(".")[2])
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        one.ImagePositionPatient = [-100, -50, height]
        change(k, one)
        one.save_as(folder / f"{series}_{k}.dcm")
    return folder


def turn(one: pydicom.Dataset, angles: tuple[float, float], height: float) -> None:
    """Make a slice oblique, `height` mm along its own normal."""
    a, b = angles
    rows = np.array([np.cos(a), np.sin(a), 0])
    columns = np.array([-np.sin(a) * np.cos(b), np.cos(a) * np.cos(b), np.sin(b)])
    one.ImageOrientationPatient = [round(float(part), 10) for part in (*rows, *columns)]
    place = np.array([-100, -50, 0]) + height * np.cross(rows, columns)
    one.ImagePositionPatient = [round(float(part), 6) for part in place]


def convert_to_frames(
    series: Path, target: Path, order: Sequence[int] | None = None, repeated: Sequence[int] = ()
) -> Path:
    """Write a series as one enhanced CT, with its frames reordered or repeated."""
    with highdicom_tools.suppress_warnings():
        slices = [pydicom.dcmread(file) for file in sorted(series.iterdir())]
        one = hd.legacy.LegacyConvertedEnhancedCTImage(
            slices, hd.UID(), series_number=2, sop_instance_uid=hd.UID(), instance_number=1
        )
    chosen = [*(range(len(slices)) if order is None else order), *repeated]
    frames = np.frombuffer(one.PixelData, np.int16).reshape(len(slices), -1)
    one.PixelData = frames[chosen].tobytes()
    groups = one.PerFrameFunctionalGroupsSequence
    one.PerFrameFunctionalGroupsSequence = [copy.deepcopy(groups[k]) for k in chosen]
    one.NumberOfFrames = len(chosen)
    target.mkdir()
    one.save_as(target / "frames.dcm")
    return target / "frames.dcm"
