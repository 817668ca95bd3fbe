"""A folder of DICOM slices as a volume, and the errors of irregular series."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - the usual name
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from GenSegLib.datasets.image_io import read_image
from GenSegLib.dicom.files import find_series_folders, is_dicom, read_head, sop_class
from GenSegLib.errors import GenSegError
from Testing.dicom_files import COLUMNS, ROWS, turn, write_ct


@pytest.fixture
def ct3(abdomen: Path) -> Path:
    return abdomen / "dicom_ct3"


def error_of(folder: Path) -> str:
    """The error of a folder, without its path."""
    with pytest.raises(GenSegError) as caught:
        read_image(folder)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert line.startswith(str(folder))
    return line.removeprefix(str(folder)).lstrip(":/ ")


def test_a_series_has_itks_values_and_positions_in_ras(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [4, 0, 2])
    volume = read_image(folder)
    assert volume.shape == (COLUMNS, ROWS, 3)
    np.testing.assert_allclose(volume.spacing, (0.810547, 0.810547, 2), rtol=1e-6)
    for k, name in enumerate(("1.2.3_1", "1.2.3_2", "1.2.3_0")):
        alone = sitk.ReadImage(str(folder / f"{name}.dcm"))
        np.testing.assert_array_equal(volume.array[0, :, :, k].T, sitk.GetArrayFromImage(alone)[0])
        left, posterior, superior = alone.GetOrigin()
        position = (volume.affine @ (0, 0, k, 1))[:3]
        np.testing.assert_allclose(position, (-left, -posterior, superior), atol=1e-4)


def test_an_oblique_series_is_not_mistaken_for_gantry_tilt(tmp_path: Path, ct3: Path) -> None:
    heights = [0.0, 2.5, 5.0, 7.5]
    write_ct(tmp_path / "ct", ct3, heights, lambda k, one: turn(one, (0.3, 0.4), heights[k]))
    volume = read_image(tmp_path / "ct")
    np.testing.assert_allclose(volume.spacing, (0.810547, 0.810547, 2.5), rtol=1e-5)


def test_each_slice_has_its_own_rescale_slope(tmp_path: Path, ct3: Path) -> None:
    def change(k: int, one: pydicom.Dataset) -> None:
        one.RescaleSlope = (1, 0.5)[k]

    folder = write_ct(tmp_path / "ct", ct3, [0, 2], change)
    raw = [pydicom.dcmread(folder / f"1.2.3_{k}.dcm").pixel_array for k in range(2)]
    volume = read_image(folder)
    np.testing.assert_array_equal(volume.array[0, :, :, 0].T, raw[0] - 1024.0)
    np.testing.assert_array_equal(volume.array[0, :, :, 1].T, raw[1] * 0.5 - 1024.0)


def test_twelve_bit_values_need_two_bytes_per_voxel(tmp_path: Path, ct3: Path) -> None:
    def shorten(k: int, one: pydicom.Dataset) -> None:
        values = np.clip(np.frombuffer(one.PixelData, np.int16), 0, 4095).astype(np.uint16)
        one.PixelData = values.tobytes()
        one.BitsStored, one.HighBit, one.PixelRepresentation = 12, 11, 0
        del one.PixelPaddingValue

    short = read_image(write_ct(tmp_path / "short", ct3, change=shorten), dtype=None).array
    full = read_image(write_ct(tmp_path / "ct", ct3), dtype=None).array
    assert (short.dtype, full.dtype) == (np.int16, np.float32)
    np.testing.assert_array_equal(short, full)


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_named(tmp_path: Path, ct3: Path, share: float) -> None:
    folder = write_ct(tmp_path / "ct", ct3)
    path = folder / "1.2.3_3.dcm"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    assert error_of(folder).startswith("1.2.3_3.dcm: truncated or damaged; copy or export")


@pytest.mark.parametrize(
    ("heights", "message"),
    [
        (
            [0, 2, 4, 10, 12],
            "2 slices are missing between 1.2.3_2.dcm (at 4.0 mm) and 1.2.3_3.dcm (at 10.0 mm); "
            "the others are 2.00 mm apart; copy the whole series",
        ),
        (
            [0, 2, 4, 7, 9],
            "uneven slice spacing, 3.00 mm between 1.2.3_2.dcm (at 4.0 mm) and 1.2.3_3.dcm (at "
            "7.0 mm) and 2.00 mm elsewhere; resample",
        ),
        (
            [0, 2, 2, 4],
            "1.2.3_1.dcm and 1.2.3_2.dcm have the same location (at 2.0 mm); remove one",
        ),
        (
            [0, 2, 4, 0, 2, 4],
            "2 slices at each of 3 locations, such as 1.2.3_0.dcm and 1.2.3_3.dcm",
        ),
    ],
    ids=["missing", "uneven", "duplicate", "two phases"],
)
def test_irregular_locations_are_explained(
    tmp_path: Path, ct3: Path, heights: list[float], message: str
) -> None:
    assert error_of(write_ct(tmp_path / "ct", ct3, heights)).startswith(message)


def test_gantry_tilt_is_measured(tmp_path: Path, ct3: Path) -> None:
    def tilt(k: int, one: pydicom.Dataset) -> None:
        one.ImagePositionPatient[1] += 2 * k * math.tan(math.radians(12))

    folder = write_ct(tmp_path / "ct", ct3, change=tilt)
    assert error_of(folder).startswith("the gantry was tilted by 12.0 degrees (1.2.3_3.dcm is ")


@pytest.mark.parametrize("shifted", [0, 2, 3])
def test_a_slice_that_is_shifted_sideways_is_named(tmp_path: Path, ct3: Path, shifted: int) -> None:
    def shift(k: int, one: pydicom.Dataset) -> None:
        one.ImagePositionPatient[0] += 3 * (k == shifted)

    folder = write_ct(tmp_path / "ct", ct3, change=shift)
    location = f"at {2 * shifted:.1f} mm"
    assert error_of(folder).startswith(f"1.2.3_{shifted}.dcm ({location}) is shifted sideways")


def test_several_series_are_listed(tmp_path: Path, ct3: Path) -> None:
    write_ct(tmp_path / "ct", ct3, [0, 2], series="1.2.3")
    write_ct(tmp_path / "ct", ct3, [0], series="1.2.4")
    assert error_of(tmp_path / "ct") == (
        "2 DICOM series in this folder (series 3 with 2 files, first 1.2.3_0.dcm; series 4 with 1 "
        "file, first 1.2.4_0.dcm); move the one to use to a folder of its own"
    )


def test_other_files_next_to_the_slices_are_ignored(
    tmp_path: Path, ct3: Path, abdomen: Path
) -> None:
    folder = write_ct(tmp_path / "ct", ct3)
    (folder / "seg.dcm").write_bytes((abdomen / "dicom_ct3_liver_seg.dcm").read_bytes())
    (folder / "notes.txt").write_text("not DICOM " * 100)
    (folder / ".hidden.dcm").write_bytes(b"")
    assert read_image(folder).shape == (COLUMNS, ROWS, 4)


def rotated(one: pydicom.Dataset) -> None:
    one.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


def small(one: pydicom.Dataset) -> None:
    one.Rows, one.PixelData = ROWS // 2, one.PixelData[: len(one.PixelData) // 2]


def without_position(one: pydicom.Dataset) -> None:
    del one.ImagePositionPatient


def without_spacing(one: pydicom.Dataset) -> None:
    del one.PixelSpacing


def with_zero_spacing(one: pydicom.Dataset) -> None:
    one.PixelSpacing = [0, 0]


def without_slope(one: pydicom.Dataset) -> None:
    del one.RescaleSlope


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rotated, "1.2.3_1.dcm differs from 1.2.3_0.dcm in orientation or pixel spacing; remove"),
        (small, "1.2.3_1.dcm has 64x28 voxels, the other slices 64x56; remove it if it is a loc"),
        (without_position, "the header of 1.2.3_1.dcm has no position or orientation"),
        (without_spacing, "the header of 1.2.3_1.dcm has no Pixel Spacing"),
        (with_zero_spacing, "the header of 1.2.3_1.dcm has no Pixel Spacing"),
        (without_slope, "the CT slice 1.2.3_1.dcm has no rescale slope and intercept"),
    ],
)
def test_a_slice_that_does_not_fit_is_named(
    tmp_path: Path, ct3: Path, change: object, message: str
) -> None:
    folder = write_ct(tmp_path / "ct", ct3, change=lambda k, one: k == 1 and change(one))
    assert error_of(folder).startswith(message)


def test_signed_values_read_as_unsigned_are_found(tmp_path: Path, ct3: Path) -> None:
    def overflow(k: int, one: pydicom.Dataset) -> None:
        one.PixelRepresentation = 0
        values = np.frombuffer(one.PixelData, np.uint16).copy()
        values[: 3 * (k == 2)] = 65533
        one.PixelData = values.tobytes()
        del one.PixelPaddingValue

    line = error_of(write_ct(tmp_path / "ct", ct3, change=overflow))
    assert line.startswith("1.2.3_2.dcm (at 4.0 mm) has values from ")
    assert "to 64509, which are not Hounsfield units (16-bit overflow?)" in line


def test_overflowed_values_are_found_but_a_padding_value_is_allowed(
    tmp_path: Path, ct3: Path
) -> None:
    def with_values(*first: int) -> Path:
        def change(k: int, one: pydicom.Dataset) -> None:
            values = np.frombuffer(one.PixelData, np.int16).copy()
            values[: len(first)] = first
            one.PixelData = values.tobytes()

        return write_ct(tmp_path / f"ct{len(first)}", ct3, change=change)

    assert read_image(with_values(-31744)).array.min() == -32768
    assert "has values from -32768 to" in error_of(with_values(-31744, -31000))


def test_a_single_slice_is_refused(tmp_path: Path, ct3: Path) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [0])
    assert error_of(folder).startswith("1.2.3_0.dcm: the only slice of its series")
    with pytest.raises(GenSegError, match="a single slice of a DICOM series; choose the folder"):
        read_image(folder / "1.2.3_0.dcm")


@pytest.mark.parametrize(
    ("syntax", "with_meta"),
    [
        (ImplicitVRLittleEndian, False),
        (ImplicitVRLittleEndian, True),
        (ExplicitVRLittleEndian, True),
    ],
)
def test_a_series_without_preamble_is_found_and_read(
    tmp_path: Path, ct3: Path, syntax: str, with_meta: bool
) -> None:
    folder = write_ct(tmp_path / "ct", ct3, [0, 2, 4])
    expected = read_image(folder)
    for k, path in enumerate(sorted(folder.iterdir())):
        one = pydicom.dcmread(path)
        one.file_meta.TransferSyntaxUID = syntax
        one.save_as(path, implicit_vr=syntax.is_implicit_VR, little_endian=True)
        data = path.read_bytes()[132:]
        if not with_meta:
            data = data[12 + int.from_bytes(data[8:12], "little") :]
        path.unlink()
        (folder / f"IM{k:05}").write_bytes(data)
    assert find_series_folders(tmp_path) == [folder]
    assert sop_class(read_head(folder / "IM00000")) == "1.2.840.10008.5.1.4.1.1.2"
    np.testing.assert_array_equal(read_image(folder).array, expected.array)


@pytest.mark.parametrize("content", [b"", b"\x08\0text that is no data element", b"\x08\0" * 300])
def test_other_files_are_not_mistaken_for_dicom(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes").write_bytes(content)
    assert not is_dicom(content)
    assert find_series_folders(tmp_path) == []


def test_series_in_nested_folders_are_found(tmp_path: Path, ct3: Path) -> None:
    folders = [tmp_path / "DICOM" / "PAT0" / "STU0" / f"SER{k}" for k in range(2)]
    for folder in folders:
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_ct(folder, ct3, [0, 2])
    (tmp_path / "DICOM" / "README").write_text("how to view")
    assert find_series_folders(tmp_path) == folders


@pytest.mark.parametrize(
    ("heights", "thickness", "is_refused"),
    [
        ([0, 3, 6, 1.5, 4.5, 7.5], 3.0, True),
        ([0, 3, 6, 1.5, 4.5, 7.5], None, True),
        ([0, 3, 6, 1.5, 4.5, 7.5], 1.5, False),
        ([0, 3, 6, 9, 12, 15], 3.0, False),
    ],
    ids=["between each other", "thickness unknown", "packages with gaps", "one after the other"],
)
def test_two_acquisitions_in_one_series_are_named(
    tmp_path: Path, ct3: Path, heights: list[float], thickness: float | None, is_refused: bool
) -> None:
    def change(k: int, one: pydicom.Dataset) -> None:
        one.AcquisitionNumber = 1 + k // 3
        if thickness is None:
            one.pop("SliceThickness", None)
        else:
            one.SliceThickness = thickness

    folder = write_ct(tmp_path / "ct", ct3, heights, change)
    if not is_refused:
        assert read_image(folder).shape[2] == 6
        return
    assert error_of(folder).startswith(
        "2 acquisitions in one series (acquisition 1 with 3 slices from 1.2.3_0.dcm, 2 with 3 "
        "slices from 1.2.3_3.dcm), whose slices overlap"
    )
