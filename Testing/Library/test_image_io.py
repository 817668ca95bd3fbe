"""Volumes to files and back, in every geometry."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - the name that everyone gives it
from hypothesis import given, settings
from hypothesis import strategies as st

from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import (
    Volume,
    on_same_grid,
    read_image,
    read_label,
    read_segment_names,
    write_image,
    write_label,
)
from Testing.volume_files import (
    SUFFIXES,
    numbered_volume,
    oblique_affine,
    write_array,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_oblique_anisotropic_volume_survives_its_file(tmp_path: Path, suffix: str) -> None:
    volume = numbered_volume(oblique_affine())
    write_image(tmp_path / f"a{suffix}", volume)
    read = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.array, volume.array)
    np.testing.assert_allclose(read.affine, volume.affine, atol=1e-5)
    assert read.array.dtype == np.float32
    np.testing.assert_allclose(read.spacing, (0.7, 1.1, 3.0), rtol=1e-6)


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
@pytest.mark.parametrize("signs", [*itertools.product((1, -1), repeat=3)])
def test_all_48_orientations_survive_a_file(
    tmp_path: Path, order: tuple[int, ...], signs: tuple[int, ...]
) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[:, order] * signs * (1.0, 2.0, 0.5)
    volume = numbered_volume(affine)
    write_image(tmp_path / "a.nii.gz", volume)
    read = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read.array, volume.array)
    np.testing.assert_allclose(read.affine, affine, atol=1e-6)
    letters = zip(order, signs)
    assert read.orientation == "".join(("RAS" if s > 0 else "LPI")[axis] for axis, s in letters)


@settings(deadline=None, max_examples=25)
@given(st.tuples(*[st.floats(-3.1, 3.1)] * 3))
def test_any_rotation_survives_a_file(
    tmp_path_factory: pytest.TempPathFactory, angles: tuple[float, float, float]
) -> None:
    path = tmp_path_factory.getbasetemp() / "rotated.nii"
    volume = numbered_volume(oblique_affine(angles))
    write_image(path, volume)
    assert on_same_grid(read_image(path), volume)
    np.testing.assert_allclose(read_image(path).affine, volume.affine, atol=1e-4)


def test_a_voxel_lies_where_itk_says_but_in_ras(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nrrd", numbered_volume(oblique_affine()))
    image = sitk.ReadImage(str(tmp_path / "a.nrrd"))
    volume = read_image(tmp_path / "a.nrrd")
    assert volume.array[0, 4, 2, 1] == image[4, 2, 1]
    left, posterior, superior = image.TransformIndexToPhysicalPoint((4, 2, 1))
    np.testing.assert_allclose(
        (volume.affine @ (4, 2, 1, 1))[:3], (-left, -posterior, superior), atol=1e-6
    )


def test_real_volumes_have_the_geometry_that_is_documented(abdomen: Path) -> None:
    mr, liver = read_image(abdomen / "mr.nii.gz"), read_label(abdomen / "mr_liver.nii.gz")
    assert mr.shape == (117, 91, 20)
    assert mr.spacing == (3.0, 3.0, 3.0)
    assert mr.orientation == "LPS"
    assert on_same_grid(mr, liver)
    assert set(np.unique(liver.array)) == {0, 1}


def test_grids_differ_by_shape_shift_and_turn() -> None:
    volume = numbered_volume(np.eye(4))
    shifted, turned = np.eye(4), np.diag([-1.0, -1.0, 1.0, 1.0])
    shifted[0, 3] = 0.5
    assert on_same_grid(volume, numbered_volume(np.eye(4) + 1e-6))
    assert not on_same_grid(volume, numbered_volume(np.eye(4), (3, 4, 5)))
    assert not on_same_grid(volume, numbered_volume(shifted))
    assert not on_same_grid(volume, numbered_volume(turned))


def test_a_dicom_series_folder_is_one_volume(abdomen: Path) -> None:
    volume = read_image(abdomen / "dicom_ct3")
    assert volume.shape == (512, 512, 3)
    np.testing.assert_allclose(volume.spacing, (0.810547, 0.810547, 1.0))
    first = sitk.GetArrayFromImage(sitk.ReadImage(str(abdomen / "dicom_ct3" / "01.dcm")))
    slices = [volume.array[0, :, :, k].T for k in range(3)]
    assert any(np.array_equal(first[0], one) for one in slices)


def test_a_folder_without_dicom_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="no DICOM series"):
        read_image(tmp_path)


def test_a_dicom_segmentation_lies_on_the_grid_of_its_series(abdomen: Path) -> None:
    image = read_image(abdomen / "dicom_ct3")
    label = read_label(abdomen / "dicom_ct3_liver_seg.dcm", image)
    assert on_same_grid(label, image)
    assert label.array.sum() == 107098
    # the liver lies in the right half of the body, and is brighter than air
    inside = label.array[0] == 1
    assert (np.argwhere(inside) @ image.affine[:3, :3].T + image.affine[:3, 3])[:, 0].mean() > 0
    assert image.array[0][inside].mean() > 0


def test_the_segments_of_a_dicom_segmentation_have_names(abdomen: Path) -> None:
    assert read_segment_names(abdomen / "dicom_ct3_liver_seg.dcm") == {1: "Liver"}


def test_a_dicom_segmentation_of_another_image_is_named(abdomen: Path) -> None:
    with pytest.raises(GenSegError, match=r"liver_seg\.dcm: .*is it of another image\?"):
        read_label(abdomen / "dicom_ct3_liver_seg.dcm", read_image(abdomen / "ct_full.nii.gz"))


def test_a_truncated_dicom_segmentation_is_named(tmp_path: Path, abdomen: Path) -> None:
    whole = (abdomen / "dicom_ct3_liver_seg.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(GenSegError, match=r"cut\.dcm: truncated or damaged"):
        read_label(tmp_path / "cut.dcm")


@pytest.mark.parametrize("lost", ["SegmentationType", "SegmentSequence"])
def test_a_dicom_segmentation_without_an_element_that_it_needs_is_named(
    tmp_path: Path, abdomen: Path, lost: str
) -> None:
    damaged = pydicom.dcmread(abdomen / "dicom_ct3_liver_seg.dcm")
    del damaged[lost]
    damaged.save_as(tmp_path / "a.dcm")
    with pytest.raises(GenSegError, match=r"a\.dcm: (truncated or damaged|the frames of this)"):
        read_label(tmp_path / "a.dcm")


def test_a_dicom_segmentation_of_probabilities_is_refused(tmp_path: Path, abdomen: Path) -> None:
    fractional = pydicom.dcmread(abdomen / "dicom_ct3_liver_seg.dcm")
    fractional.SegmentationType = "FRACTIONAL"
    fractional.save_as(tmp_path / "a.dcm")
    with pytest.raises(GenSegError, match=r"a\.dcm: a DICOM SEG of probabilities"):
        read_label(tmp_path / "a.dcm")


def test_a_dicom_segmentation_is_no_image(abdomen: Path) -> None:
    with pytest.raises(GenSegError, match="a DICOM SEG is a label and no image"):
        read_image(abdomen / "dicom_ct3_liver_seg.dcm")


def test_one_time_point_counts_as_a_volume(tmp_path: Path) -> None:
    path = write_array(tmp_path / "a.nrrd", np.ones((1, 3, 4, 5), np.float32))
    assert read_image(path).shape == (5, 4, 3)


def test_an_uncompressed_file_of_a_compressed_name_is_read(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nii", numbered_volume(np.eye(4)))
    (tmp_path / "a.nii").rename(tmp_path / "a.nii.gz")
    assert read_image(tmp_path / "a.nii.gz").shape == (5, 4, 3)


def test_whole_numbers_stored_as_floats_are_labels(tmp_path: Path) -> None:
    path = write_array(tmp_path / "a.nii.gz", np.full((3, 4, 5), 2.0))
    label = read_label(path)
    assert label.array.dtype == np.int16
    assert set(np.unique(label.array)) == {2}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (0.5, "no whole numbers"),
        (np.nan, "no whole numbers"),
        (-1.0, "label value -1 is outside"),
        (40000.0, "label value 40000 is outside"),
    ],
)
def test_values_that_are_no_labels_are_refused(tmp_path: Path, value: float, fault: str) -> None:
    path = write_array(tmp_path / "a.nii.gz", np.full((3, 4, 5), value))
    with pytest.raises(GenSegError, match=fault):
        read_label(path)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".seg.nrrd"])
@pytest.mark.parametrize("largest", [2, 1000])
def test_a_label_survives_its_file(tmp_path: Path, suffix: str, largest: int) -> None:
    label = np.zeros((1, 5, 4, 3), np.int16)
    label[0, 1:3], label[0, 4] = 1, largest
    write_label(tmp_path / f"a{suffix}", Volume(label, oblique_affine()))
    read = read_label(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read.array, label)
    np.testing.assert_allclose(read.affine, oblique_affine(), atol=1e-5)


def test_a_format_that_is_not_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="choose one of"):
        write_image(tmp_path / "a.jpg", numbered_volume(np.eye(4)))
    assert not list(tmp_path.iterdir())


def test_an_output_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(GenSegError, match="cannot be written"):
        write_image(tmp_path / "out" / "a.nii", numbered_volume(np.eye(4)))


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX's")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_that_fills_up_leaves_the_old_file_and_no_part_of_the_new(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"the old file")
    program = f"""
import resource
from pathlib import Path
import numpy as np
from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import Volume, write_image
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
    assert "is the disk full?" in result.stdout
    assert result.stderr == ""
    assert path.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [path]
