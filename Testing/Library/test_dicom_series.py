"""A DICOM series folder as a volume, and what is said of every series that is none."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it

from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import read_image
from Testing.dicom_files import COLUMNS, ROWS, turn, write_ct


@pytest.fixture
def ct3(abdomen: Path) -> Path:
    return abdomen / "dicom_ct3"


def fault_of(folder: Path) -> str:
    """The one line that is said of a folder, without the folder's own path."""
    with pytest.raises(GenSegError) as caught:
        read_image(folder)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert line.startswith(str(folder))
    return line.removeprefix(str(folder)).lstrip(":/ ")


def test_a_sound_series_has_its_hounsfield_units_where_itk_has_them(
    tmp_path: Path, ct3: Path
) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [4, 0, 2])
    volume = read_image(folder)
    assert volume.shape == (COLUMNS, ROWS, 3)
    np.testing.assert_allclose(volume.spacing, (0.810547, 0.810547, 2), rtol=1e-6)
    for k, name in enumerate(("1.2.3_1", "1.2.3_2", "1.2.3_0")):
        alone = sitk.ReadImage(str(folder / f"{name}.dcm"))
        np.testing.assert_array_equal(volume.array[0, :, :, k].T, sitk.GetArrayFromImage(alone)[0])
        left, posterior, superior = alone.GetOrigin()
        place = (volume.affine @ (0, 0, k, 1))[:3]
        np.testing.assert_allclose(place, (-left, -posterior, superior), atol=1e-4)


def test_an_oblique_series_is_no_tilted_one(tmp_path: Path, ct3: Path) -> None:
    heights = [0.0, 2.5, 5.0, 7.5]
    write_ct(tmp_path / "ct", ct3, heights, lambda k, one: turn(one, (0.3, 0.4), heights[k]))
    volume = read_image(tmp_path / "ct")
    np.testing.assert_allclose(volume.spacing, (0.810547, 0.810547, 2.5), rtol=1e-5)


def test_each_slice_keeps_its_own_rescale_slope(tmp_path: Path, ct3: Path) -> None:
    def change(k: int, one: pydicom.Dataset) -> None:
        one.RescaleSlope = (1, 0.5)[k]

    folder = write_ct(tmp_path / "ct", ct3, [0, 2], change)
    raw = [pydicom.dcmread(folder / f"1.2.3_{k}.dcm").pixel_array for k in range(2)]
    volume = read_image(folder)
    np.testing.assert_array_equal(volume.array[0, :, :, 0].T, raw[0] - 1024.0)
    np.testing.assert_array_equal(volume.array[0, :, :, 1].T, raw[1] * 0.5 - 1024.0)


def test_twelve_bits_take_no_more_than_two_bytes_a_voxel(tmp_path: Path, ct3: Path) -> None:
    def shorten(k: int, one: pydicom.Dataset) -> None:
        values = np.clip(np.frombuffer(one.PixelData, np.int16), 0, 4095).astype(np.uint16)
        one.PixelData = values.tobytes()
        one.BitsStored, one.HighBit, one.PixelRepresentation = 12, 11, 0
        del one.PixelPaddingValue

    short = read_image(write_ct(tmp_path / "short", ct3, change=shorten), dtype=None).array
    whole = read_image(write_ct(tmp_path / "ct", ct3), dtype=None).array
    assert (short.dtype, whole.dtype) == (np.int16, np.float32)
    np.testing.assert_array_equal(short, whole)


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_truncated_file_is_named(tmp_path: Path, ct3: Path, share: float) -> None:
    folder = write_ct(tmp_path / "ct", ct3)
    path = folder / "1.2.3_3.dcm"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert fault_of(folder) == "1.2.3_3.dcm: truncated or damaged; copy or export it again"


def test_an_empty_file_is_named(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3)
    (folder / "1.2.3_0.dcm").write_bytes(b"")
    assert fault_of(folder).startswith("1.2.3_0.dcm: truncated or damaged")


def test_missing_slices_are_counted_and_placed(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [0, 2, 4, 10, 12])
    assert fault_of(folder) == (
        "2 slices are missing between 1.2.3_2.dcm (at 4.0 mm) and 1.2.3_3.dcm (at 10.0 mm), "
        "where the others are 2.00 mm apart; give the whole series"
    )


def test_uneven_slices_are_placed(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [0, 2, 4, 7, 9])
    assert fault_of(folder).startswith(
        "the slices are not evenly spaced, 3.00 mm between 1.2.3_2.dcm (at 4.0 mm) and 1.2.3_3.dcm "
        "(at 7.0 mm) and 2.00 mm elsewhere"
    )


def test_two_slices_at_one_place_are_named(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [0, 2, 2, 4])
    assert fault_of(folder) == (
        "1.2.3_1.dcm and 1.2.3_2.dcm are both at one place (at 2.0 mm); remove one"
    )


def test_several_phases_in_one_series_are_told_as_such(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [0, 2, 4, 0, 2, 4])
    assert fault_of(folder).startswith("2 slices are at each of 3 places, such as 1.2.3_0.dcm and")


def test_a_tilted_gantry_is_measured(tmp_path: Path, ct3: Path) -> None:
    def tilt(k: int, one: pydicom.Dataset) -> None:
        one.ImagePositionPatient[1] += 2 * k * math.tan(math.radians(12))

    folder = write_ct(tmp_path / "ct", ct3, change=tilt)
    assert fault_of(folder).startswith("the gantry was tilted by 12.0 degrees, 1.2.3_3.dcm lies ")


@pytest.mark.parametrize("odd", range(4))
def test_a_slice_that_is_shifted_sideways_is_named(tmp_path: Path, ct3: Path, odd: int) -> None:
    def shift(k: int, one: pydicom.Dataset) -> None:
        one.ImagePositionPatient[0] += 3 * (k == odd)

    folder = write_ct(tmp_path / "ct", ct3, change=shift)
    assert fault_of(folder).startswith(f"1.2.3_{odd}.dcm (at {2 * odd:.1f} mm) is shifted sideways")


def test_several_series_are_listed(tmp_path: Path, ct3: Path) -> None:
    write_ct(tmp_path / "ct", ct3, [0, 2], series="1.2.3")
    write_ct(tmp_path / "ct", ct3, [0], series="1.2.4")
    assert fault_of(tmp_path / "ct") == (
        "2 DICOM series are in this folder (series 3 with 2 files from 1.2.3_0.dcm on; series 4 "
        "with 1 file from 1.2.4_0.dcm on); put the one to use in a folder of its own"
    )


def test_a_segmentation_beside_the_series_is_no_second_series(
    tmp_path: Path, ct3: Path, abdomen: Path
) -> None:
    folder = write_ct(tmp_path / "ct", ct3)
    (folder / "seg.dcm").write_bytes((abdomen / "dicom_ct3_liver_seg.dcm").read_bytes())
    assert read_image(folder).shape == (COLUMNS, ROWS, 4)


def test_a_localizer_is_named(tmp_path: Path, ct3: Path) -> None:
    def turned(k: int, one: pydicom.Dataset) -> None:
        if k == 1:
            one.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]

    def small(k: int, one: pydicom.Dataset) -> None:
        if k == 1:
            one.Rows, one.PixelData = ROWS // 2, one.PixelData[: len(one.PixelData) // 2]

    folder = write_ct(tmp_path / "turned", ct3, change=turned)
    assert fault_of(folder).startswith("1.2.3_1.dcm is turned or scaled against 1.2.3_0.dcm")
    folder = write_ct(tmp_path / "small", ct3, change=small)
    assert fault_of(folder).startswith("1.2.3_1.dcm has 64x28 voxels and the others have 64x56")


def test_a_slice_without_a_place_is_named(tmp_path: Path, ct3: Path) -> None:
    def unplace(k: int, one: pydicom.Dataset) -> None:
        if k == 2:
            del one.ImagePositionPatient

    folder = write_ct(tmp_path / "ct", ct3, change=unplace)
    assert fault_of(folder).startswith("the header of 1.2.3_2.dcm does not say where")


@pytest.mark.parametrize("spacing", [None, [0, 0]])
def test_a_slice_whose_voxels_have_no_size_is_named(
    tmp_path: Path, ct3: Path, spacing: list[float] | None
) -> None:
    def unscale(k: int, one: pydicom.Dataset) -> None:
        if spacing is None:
            del one.PixelSpacing
        else:
            one.PixelSpacing = spacing

    folder = write_ct(tmp_path / "ct", ct3, change=unscale)
    assert fault_of(folder).startswith("the header of 1.2.3_0.dcm does not say how large its")


@pytest.mark.parametrize("lost", ["RescaleSlope", "RescaleIntercept"])
def test_a_ct_without_rescale_is_named(tmp_path: Path, ct3: Path, lost: str) -> None:
    def forget(k: int, one: pydicom.Dataset) -> None:
        if k == 1:
            delattr(one, lost)

    folder = write_ct(tmp_path / "ct", ct3, change=forget)
    assert fault_of(folder).startswith(
        "1.2.3_1.dcm (at 2.0 mm) has no rescale slope and intercept, so that its values are no "
        "Hounsfield units"
    )


def test_signed_values_that_are_read_as_unsigned_are_named(tmp_path: Path, ct3: Path) -> None:
    def overflow(k: int, one: pydicom.Dataset) -> None:
        one.PixelRepresentation = 0
        values = np.frombuffer(one.PixelData, np.uint16).copy()
        values[: 3 * (k == 2)] = 65533
        one.PixelData = values.tobytes()
        del one.PixelPaddingValue

    folder = write_ct(tmp_path / "ct", ct3, change=overflow)
    line = fault_of(folder)
    assert line.startswith("1.2.3_2.dcm (at 4.0 mm) holds ")
    assert "to 64509, which are no Hounsfield units; 16-bit values overflew?" in line


def test_values_that_wrapped_around_are_named_but_a_filling_is_not(
    tmp_path: Path, ct3: Path
) -> None:
    def fill(*fillings: int) -> Path:
        def change(k: int, one: pydicom.Dataset) -> None:
            values = np.frombuffer(one.PixelData, np.int16).copy()
            values[: len(fillings)] = fillings
            one.PixelData = values.tobytes()

        return write_ct(tmp_path / f"ct{len(fillings)}", ct3, change=change)

    assert read_image(fill(-31744)).array.min() == -32768
    assert "holds -32768 to" in fault_of(fill(-31744, -31000))


def test_one_slice_is_no_volume(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [0])
    assert fault_of(folder).startswith("1.2.3_0.dcm: the only slice of its series")
    with pytest.raises(GenSegError, match="one slice of a DICOM series; give the folder"):
        read_image(folder / "1.2.3_0.dcm")


def test_other_files_beside_the_slices_are_left_alone(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3)
    (folder / "notes.txt").write_text("no DICOM at all " * 100)
    (folder / ".hidden.dcm").write_bytes(b"")
    assert read_image(folder).shape == (COLUMNS, ROWS, 4)
