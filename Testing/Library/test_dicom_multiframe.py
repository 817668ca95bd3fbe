"""Multi-frame DICOM objects are read like the series of slices they were made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from GenSegLib.datasets.image_io import Volume, read_image
from GenSegLib.dicom import highdicom_tools
from GenSegLib.errors import GenSegError
from Testing.dicom_files import Change, convert_to_frames, turn, write_ct


@pytest.fixture
def ct3(abdomen: Path) -> Path:
    return abdomen / "dicom_ct3"


def error_of(path: Path) -> str:
    with pytest.raises(GenSegError) as caught:
        read_image(path)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def assert_equal(one: Volume, other: Volume) -> None:
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)


def own_slopes(k: int, one: pydicom.Dataset) -> None:
    one.RescaleSlope = 1 + k


def oblique(k: int, one: pydicom.Dataset) -> None:
    turn(one, (0.3, 0.4), 2.0 * k)


@pytest.mark.parametrize("change", [own_slopes, oblique])
def test_frames_are_the_volume_of_their_series(tmp_path: Path, ct3: Path, change: Change) -> None:
    series = write_ct(tmp_path / "ct", ct3, change=change)
    file = convert_to_frames(series, tmp_path / "frames", order=[2, 0, 3, 1])
    assert_equal(read_image(file), read_image(series))
    assert_equal(read_image(file.parent), read_image(series))


@pytest.mark.parametrize(
    "frames", [{"order": [0, 1, 3]}, {"repeated": range(4)}], ids=["missing frame", "two phases"]
)
def test_frames_that_are_not_one_volume_are_refused(
    tmp_path: Path, ct3: Path, frames: dict
) -> None:
    file = convert_to_frames(write_ct(tmp_path / "ct", ct3), tmp_path / "frames", **frames)
    assert "do not form one evenly spaced volume (several phases or echoes" in error_of(file)


def test_a_truncated_file_is_refused(tmp_path: Path, ct3: Path) -> None:
    file = convert_to_frames(write_ct(tmp_path / "ct", ct3), tmp_path / "frames")
    file.write_bytes(file.read_bytes()[:-1000])
    assert error_of(file).startswith(f"{file}: ")
    assert "truncated or damaged" in error_of(file.parent)


def test_ct_values_that_overflowed_are_refused(tmp_path: Path, ct3: Path) -> None:
    def overflow(k: int, one: pydicom.Dataset) -> None:
        one.PixelData = np.full(one.Rows * one.Columns, 32767, np.int16).tobytes()
        one.RescaleIntercept = 1024

    file = convert_to_frames(write_ct(tmp_path / "ct", ct3, change=overflow), tmp_path / "frames")
    assert "not Hounsfield units (16-bit overflow?)" in error_of(file)


def test_a_multiframe_file_among_slices_is_refused(tmp_path: Path, ct3: Path) -> None:
    series = write_ct(tmp_path / "ct", ct3)
    file = convert_to_frames(series, tmp_path / "frames")
    one = pydicom.dcmread(file)
    one.SeriesInstanceUID = pydicom.dcmread(next(series.iterdir())).SeriesInstanceUID
    one.save_as(series / "a.dcm")
    assert "a.dcm holds 4 frames next to other files; move it" in error_of(series)


def test_missing_packages_are_named(
    tmp_path: Path, ct3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = convert_to_frames(write_ct(tmp_path / "ct", ct3), tmp_path / "frames")
    monkeypatch.setattr(highdicom_tools, "find_spec", lambda name: None)
    assert "requires additional packages; install them with: pip install" in error_of(file)
