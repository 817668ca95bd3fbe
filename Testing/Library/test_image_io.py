"""Volumes are written and read in every format and geometry."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - the usual name
from hypothesis import given, settings
from hypothesis import strategies as st

from GenSegLib.datasets.image_io import (
    Volume,
    on_same_grid,
    read_image,
    read_label,
    read_segment_names,
    write_image,
    write_label,
)
from GenSegLib.errors import GenSegError
from Testing.volume_files import SUFFIXES, numbered_volume, oblique_affine, write_array


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_oblique_anisotropic_volume_round_trips(tmp_path: Path, suffix: str) -> None:
    volume = numbered_volume(oblique_affine())
    write_image(tmp_path / f"a{suffix}", volume)
    read = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.array, volume.array)
    np.testing.assert_allclose(read.affine, volume.affine, atol=1e-5)
    assert read.array.dtype == np.float32
    np.testing.assert_allclose(read.spacing, (0.7, 1.1, 3.0), rtol=1e-6)


def test_all_48_orientations_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"
    for order, signs in itertools.product(
        itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)
    ):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, order] * signs * (1.0, 2.0, 0.5)
        volume = numbered_volume(affine)
        write_image(path, volume)
        read = read_image(path)
        np.testing.assert_array_equal(read.array, volume.array)
        np.testing.assert_allclose(read.affine, affine, atol=1e-6)
        letters = zip(order, signs)
        assert read.orientation == "".join(("RAS" if s > 0 else "LPI")[a] for a, s in letters)


@settings(deadline=None, max_examples=25)
@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
def test_any_rotation_round_trips(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, float, float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rotated.nii"
    volume = numbered_volume(oblique_affine(angles))
    write_image(path, volume)
    assert on_same_grid(read_image(path), volume)
    np.testing.assert_allclose(read_image(path).affine, volume.affine, atol=1e-4)


def test_positions_are_those_of_itk_in_ras(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nrrd", numbered_volume(oblique_affine()))
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    volume = read_image(tmp_path / "a.nrrd")
    assert volume.array[0, 4, 2, 1] == image[4, 2, 1]
    left, posterior, superior = image.TransformIndexToPhysicalPoint((4, 2, 1))
    position = (volume.affine @ (4, 2, 1, 1))[:3]
    np.testing.assert_allclose(position, (-left, -posterior, superior), atol=1e-6)


def test_grids_differ_in_shape_position_and_orientation() -> None:
    volume = numbered_volume(np.eye(4))
    shifted, rotated = np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0])
    shifted[0, 3] = 0.5
    assert on_same_grid(volume, numbered_volume(np.eye(4) + 1e-6))
    assert not on_same_grid(volume, numbered_volume(np.eye(4), (3, 4, 5)))
    assert not on_same_grid(volume, numbered_volume(shifted))
    assert not on_same_grid(volume, numbered_volume(rotated))


def test_a_folder_without_dicom_is_not_an_image(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="no DICOM series"):
        read_image(tmp_path)


def test_a_dicom_seg_is_placed_on_the_grid_of_its_series(abdomen: Path) -> None:
    image = read_image(abdomen / "dicom_ct3")
    label = read_label(abdomen / "dicom_ct3_liver_seg.dcm", image)
    assert on_same_grid(label, image)
    assert label.array.sum() == 107098
    inside = label.array[0] == 1
    position = np.argwhere(inside) @ image.affine[:3, :3].T + image.affine[:3, 3]
    assert position[:, 0].mean() > 0, "the liver is on the right"
    assert image.array[0][inside].mean() > 0
    assert read_segment_names(abdomen / "dicom_ct3_liver_seg.dcm") == {1: "Liver"}


def test_a_dicom_seg_of_another_image_is_refused(abdomen: Path) -> None:
    with pytest.raises(GenSegError, match=r"liver_seg\.dcm: .*label and image belong together"):
        read_label(abdomen / "dicom_ct3_liver_seg.dcm", read_image(abdomen / "ct_full.nii.gz"))


@pytest.mark.parametrize("missing", ["SegmentationType", "SegmentSequence"])
def test_a_dicom_seg_without_a_required_element_is_refused(
    tmp_path: Path, abdomen: Path, missing: str
) -> None:
    damaged = pydicom.dcmread(abdomen / "dicom_ct3_liver_seg.dcm")
    del damaged[missing]
    damaged.save_as(tmp_path / "a.dcm")
    with pytest.raises(GenSegError, match=r"a\.dcm: (truncated or damaged|the frames of this)"):
        read_label(tmp_path / "a.dcm")


def test_a_fractional_dicom_seg_is_refused(tmp_path: Path, abdomen: Path) -> None:
    fractional = pydicom.dcmread(abdomen / "dicom_ct3_liver_seg.dcm")
    fractional.SegmentationType = "FRACTIONAL"
    fractional.save_as(tmp_path / "a.dcm")
    with pytest.raises(GenSegError, match=r"a\.dcm: a fractional DICOM SEG"):
        read_label(tmp_path / "a.dcm")


def test_a_dicom_seg_is_not_an_image(abdomen: Path) -> None:
    with pytest.raises(GenSegError, match="a DICOM SEG is a label, not an image"):
        read_image(abdomen / "dicom_ct3_liver_seg.dcm")


def test_a_4d_image_with_one_time_point_is_a_volume(tmp_path: Path) -> None:
    path = write_array(tmp_path / "a.nrrd", np.ones((1, 3, 4, 5), np.float32))
    assert read_image(path).shape == (5, 4, 3)


def test_an_uncompressed_file_named_gz_is_read(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nii", numbered_volume(np.eye(4)))
    (tmp_path / "a.nii").rename(tmp_path / "a.nii.gz")
    assert read_image(tmp_path / "a.nii.gz").shape == (5, 4, 3)


def test_whole_numbers_stored_as_floats_are_labels(tmp_path: Path) -> None:
    label = read_label(write_array(tmp_path / "a.nii.gz", np.full((3, 4, 5), 2.0)))
    assert label.array.dtype == np.int16
    assert set(np.unique(label.array)) == {2}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, "not whole numbers"),
        (np.nan, "not whole numbers"),
        (-1.0, "label value -1 is negative; 0 is background"),
        (40000.0, "label value 40000 is outside"),
    ],
)
def test_invalid_label_values_are_refused(tmp_path: Path, value: float, message: str) -> None:
    path = write_array(tmp_path / "a.nii.gz", np.full((3, 4, 5), value))
    with pytest.raises(GenSegError, match=message):
        read_label(path)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".seg.nrrd"])
@pytest.mark.parametrize("largest", [2, 1000])
def test_labels_round_trip(tmp_path: Path, suffix: str, largest: int) -> None:
    label = np.zeros((1, 5, 4, 3), np.int16)
    label[0, 1:3], label[0, 4] = 1, largest
    write_label(tmp_path / f"a{suffix}", Volume(label, oblique_affine()))
    read = read_label(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.array, label)
    np.testing.assert_allclose(read.affine, oblique_affine(), atol=1e-5)


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="unsupported output format; choose one of"):
        write_image(tmp_path / "a.jpg", numbered_volume(np.eye(4)))
    assert not list(tmp_path.iterdir())
    (tmp_path / "out").write_text("a file")
    with pytest.raises(GenSegError, match="cannot be written"):
        write_image(tmp_path / "out" / "a.nii", numbered_volume(np.eye(4)))


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX's")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_file_and_no_partial_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"the old file")
    program = f"""
import resource
from pathlib import Path
import numpy as np
from GenSegLib.errors import GenSegError
from GenSegLib.datasets.image_io import Volume, write_image
noise = np.random.default_rng(0).normal(size=(1, 40, 40, 40)).astype(np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_image(Path({str(path)!r}), Volume(noise, np.eye(4)))
except GenSegError as error:
    print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "free disk space and try again" in result.stdout
    assert result.stderr == ""
    assert path.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [path]
