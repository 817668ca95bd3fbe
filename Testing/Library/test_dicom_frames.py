"""A DICOM object of several frames as a volume: as the series of slices that it was made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from GenSegLib.dicom import extra as dicom_extra
from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import Volume, read_image
from Testing.dicom_files import Change, convert_to_frames, turn, write_ct


@pytest.fixture
def ct3(abdomen: Path) -> Path:
    return abdomen / "dicom_ct3"


def fault_of(path: Path) -> str:
    with pytest.raises(GenSegError) as caught:
        read_image(path)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def same(one: Volume, other: Volume) -> None:
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-4)


def own_slopes(k: int, one: pydicom.Dataset) -> None:
    one.RescaleSlope = 1 + k


def tilted(k: int, one: pydicom.Dataset) -> None:
    turn(one, (0.3, 0.4), 2.0 * k)


@pytest.mark.parametrize("change", [None, own_slopes, tilted], ids=["plain", "slopes", "oblique"])
def test_frames_are_the_volume_of_their_series(
    tmp_path: Path, ct3: Path, change: Change | None
) -> None:
    series = write_ct(tmp_path / "ct", ct3, **({} if change is None else {"change": change}))
    file = convert_to_frames(series, tmp_path / "frames")
    same(read_image(file), read_image(series))
    same(read_image(file.parent), read_image(series))


def test_frames_are_sorted_by_the_place_that_each_one_names(tmp_path: Path, ct3: Path) -> None:
    series = write_ct(tmp_path / "ct", ct3)
    same(
        read_image(convert_to_frames(series, tmp_path / "frames", order=[2, 0, 3, 1])),
        read_image(series),
    )


def test_a_frame_that_is_missing_is_told(tmp_path: Path, ct3: Path) -> None:
    file = convert_to_frames(write_ct(tmp_path / "ct", ct3), tmp_path / "frames", order=[0, 1, 3])
    assert "its frames are no single, evenly spaced volume" in fault_of(file)


def test_several_phases_in_one_file_are_told(tmp_path: Path, ct3: Path) -> None:
    series = write_ct(tmp_path / "ct", ct3)
    file = convert_to_frames(series, tmp_path / "frames", repeated=range(4))
    assert "several phases or echoes" in fault_of(file)


def test_a_truncated_file_is_told(tmp_path: Path, ct3: Path) -> None:
    file = convert_to_frames(write_ct(tmp_path / "ct", ct3), tmp_path / "frames")
    file.write_bytes(file.read_bytes()[:-1000])
    assert fault_of(file).startswith(f"{file}: ")
    assert "truncated or damaged" in fault_of(file.parent)


def test_values_that_wrapped_around_are_told(tmp_path: Path, ct3: Path) -> None:
    def overflow(k: int, one: pydicom.Dataset) -> None:
        one.PixelData = np.full(one.Rows * one.Columns, 32767, np.int16).tobytes()
        one.RescaleIntercept = 1024

    file = convert_to_frames(write_ct(tmp_path / "ct", ct3, change=overflow), tmp_path / "frames")
    assert "no Hounsfield units; 16-bit values overflew?" in fault_of(file)


def test_a_file_of_frames_is_no_slice_of_a_series(tmp_path: Path, ct3: Path) -> None:
    series = write_ct(tmp_path / "ct", ct3)
    file = convert_to_frames(series, tmp_path / "frames")
    one = pydicom.dcmread(file)
    one.SeriesInstanceUID = pydicom.dcmread(next(series.iterdir())).SeriesInstanceUID
    one.save_as(series / "a.dcm")
    assert "a.dcm holds 4 slices, and other files are beside it; give that file" in fault_of(series)


def test_missing_packages_are_named(
    tmp_path: Path, ct3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = convert_to_frames(write_ct(tmp_path / "ct", ct3), tmp_path / "frames")
    monkeypatch.setattr(dicom_extra, "find_spec", lambda name: None)
    wanted = "a DICOM file of several frames needs more packages; install them with: pip install"
    assert fault_of(file).startswith(wanted)
