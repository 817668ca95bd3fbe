"""NIfTI headers of other programs are read as they meant them, by one rule for the two forms."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - the usual name

from GenSegLib.datasets.image_io import (
    Volume,
    on_same_grid,
    read_image,
    read_label,
    write_image,
    write_label,
)
from GenSegLib.errors import GenSegError
from GenSegLib.images.nifti import read_header
from Testing.nifti_files import UNSET, forms, write_nifti_2, write_with_forms
from Testing.volume_files import numbered_volume, oblique_affine, patch_bytes

VOXELS = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
SCANNER = oblique_affine()
REGISTERED = oblique_affine((0.3, -0.2, 0.85))


def itk_affine(path: Path) -> np.ndarray:
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ affine


@pytest.mark.parametrize(
    ("codes", "taken"),
    [((2, 1), SCANNER), ((1, 1), REGISTERED), ((4, 2), SCANNER), ((2, 0), REGISTERED)],
)
def test_the_rule_for_sform_and_qform_is_that_of_itk(
    tmp_path: Path, codes: tuple[int, int], taken: np.ndarray
) -> None:
    qform = SCANNER if codes[1] else None
    path = write_with_forms(tmp_path / "a.nii", VOXELS, forms(REGISTERED, qform, codes))
    volume = read_image(path)
    np.testing.assert_allclose(volume.affine, taken, atol=1e-5)
    np.testing.assert_allclose(itk_affine(path), taken, atol=1e-4)
    assert bool(volume.warnings) == bool(codes[1])


def test_forms_that_disagree_are_a_warning_with_the_distance(tmp_path: Path) -> None:
    moved = SCANNER.copy()
    moved[0, 3] += 0.05
    path = tmp_path / "a.nii"
    assert not read_image(write_with_forms(path, VOXELS, forms(moved, SCANNER))).warnings
    moved[0, 3] += 0.2
    (warning,) = read_image(write_with_forms(path, VOXELS, forms(moved, SCANNER))).warnings
    assert "sform (code 2) and qform (code 1)" in warning
    assert "up to 0.25 mm apart; the qform is used" in warning


def test_without_forms_the_voxel_sizes_are_taken_and_said(tmp_path: Path) -> None:
    unset = replace(UNSET, pixdim=(1.0, 2.0, 3.0, 4.0))
    path = write_with_forms(tmp_path / "a.nii", VOXELS, unset)
    volume = read_image(path)
    np.testing.assert_allclose(volume.affine, np.diag([-2, -3, 4, 1]))
    np.testing.assert_allclose(itk_affine(path), volume.affine)
    assert "neither sform nor qform; the voxel sizes alone are used" in volume.warnings[0]


def test_an_sform_with_other_voxel_sizes_than_pixdim_is_a_warning(tmp_path: Path) -> None:
    form = replace(forms(SCANNER, None), pixdim=(1.0, 1.0, 1.0, 1.0))
    volume = read_image(write_with_forms(tmp_path / "a.nii", VOXELS, form))
    np.testing.assert_allclose(volume.spacing, (0.7, 1.1, 3.0), rtol=1e-5)
    assert "those of the sform are used" in volume.warnings[0]


@pytest.mark.parametrize(("shear", "is_read"), [(1e-4, True), (4e-3, True), (0.02, False)])
def test_nearly_orthonormal_axes_are_read(tmp_path: Path, shear: float, is_read: bool) -> None:
    sheared = np.diag([2.0, 2.0, 3.0, 1.0])
    sheared[0, 1] = 2 * shear
    path = write_with_forms(tmp_path / "a.nii", VOXELS, forms(sheared, None, (1, 0)))
    if is_read:
        np.testing.assert_allclose(read_image(path).affine, sheared, atol=1e-6)
    else:
        with pytest.raises(GenSegError, match="not orthogonal"):
            read_image(path)


def test_a_sheared_sform_gives_way_to_a_qform(tmp_path: Path) -> None:
    sheared = SCANNER.copy()
    sheared[:3, 1] += 0.3 * sheared[:3, 0]
    path = write_with_forms(tmp_path / "a.nii", VOXELS, forms(sheared, SCANNER, (1, 1)))
    np.testing.assert_allclose(read_image(path).affine, SCANNER, atol=1e-5)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_2_is_read_in_both_byte_orders(tmp_path: Path, name: str, order: str) -> None:
    path = write_nifti_2(tmp_path / name, VOXELS, SCANNER, order)
    volume, label = read_image(path), read_label(path)
    np.testing.assert_array_equal(volume.array[0], VOXELS)
    np.testing.assert_array_equal(label.array[0], VOXELS)
    np.testing.assert_allclose(volume.affine, SCANNER)


def test_a_gzipped_file_named_nii_is_read(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nii", numbered_volume(SCANNER))
    path = tmp_path / "b.nii"
    path.write_bytes(gzip.compress((tmp_path / "a.nii").read_bytes()))
    np.testing.assert_array_equal(read_image(path).array, numbered_volume(SCANNER).array)


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ((0.0, -1024.0), VOXELS),
        ((np.nan, -1024.0), VOXELS),
        ((1.0, -1024.0), VOXELS - 1024.0),
        ((0.5, 10.0), VOXELS * 0.5 + 10),
        ((2.0, np.nan), VOXELS * 2.0),
    ],
)
def test_values_are_scaled_unless_the_slope_is_0(
    tmp_path: Path, scaling: tuple[float, float], expected: np.ndarray
) -> None:
    path = write_with_forms(tmp_path / "a.nii", VOXELS, forms(SCANNER, SCANNER), scaling)
    np.testing.assert_array_equal(read_image(path).array[0], expected)
    assert read_image(path, dtype=None).array.dtype.kind == (
        "i" if np.array_equal(expected, VOXELS) else "f"
    )


def test_negative_voxel_sizes_are_lengths(tmp_path: Path) -> None:
    write_image(tmp_path / "a.nii", numbered_volume(SCANNER))
    path = patch_bytes(tmp_path / "a.nii", 80, "<3f", -0.7, 1.1, -3.0)
    np.testing.assert_allclose(read_image(path).affine, SCANNER, atol=1e-5)


@pytest.mark.parametrize(("unit", "millimeters"), [(1, 1000.0), (3, 0.001), (0, 1.0)])
def test_units_become_millimeters(tmp_path: Path, unit: int, millimeters: float) -> None:
    form = replace(forms(SCANNER, SCANNER), units=unit)
    volume = read_image(write_with_forms(tmp_path / "a.nii", VOXELS, form))
    np.testing.assert_allclose(volume.affine[:3], SCANNER[:3] * millimeters, rtol=1e-4)


@pytest.mark.parametrize("values", [(1.0000001, 2.0000002), (0.9995, 2.0009)])
def test_labels_close_to_whole_numbers_are_labels(tmp_path: Path, values: tuple) -> None:
    array = np.zeros((5, 4, 3))
    array[1], array[2] = values
    path = write_with_forms(tmp_path / "a.nii", array, forms(SCANNER, None))
    assert np.unique(read_label(path).array).tolist() == [0, 1, 2]
    array[1] = 1.002
    with pytest.raises(GenSegError, match="not whole numbers"):
        read_label(write_with_forms(path, array, forms(SCANNER, None)))


@pytest.mark.parametrize(
    "form",
    [
        forms(REGISTERED, SCANNER, (2, 1)),
        forms(REGISTERED, REGISTERED, (4, 2)),
        replace(forms(REGISTERED, SCANNER, (2, 1)), units=3),
        forms(None, SCANNER),
        replace(UNSET, pixdim=(1.0, 2.0, 3.0, 4.0)),
    ],
    ids=["other qform", "codes", "micrometers", "no sform", "no forms"],
)
def test_what_is_written_like_an_image_has_its_forms_codes_and_units(
    tmp_path: Path, form: object
) -> None:
    image = write_with_forms(tmp_path / "image.nii.gz", VOXELS, form)
    label = Volume(np.ones((1, 5, 4, 3), np.int16), read_image(image).affine)
    write_label(tmp_path / "label.nii.gz", label, like=image)
    write_image(tmp_path / "map.nii", Volume(label.array / 3, label.affine), like=image)
    for name in ("label.nii.gz", "map.nii"):
        assert read_header(tmp_path / name).forms == read_header(image).forms
        assert on_same_grid(read_image(tmp_path / name), read_image(image))


def test_nibabel_and_itk_agree_on_what_is_written(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    path = tmp_path / "a.nii.gz"
    write_image(path, numbered_volume(SCANNER))
    found = nibabel.load(path)
    np.testing.assert_allclose(found.get_sform(), SCANNER, atol=1e-5)
    np.testing.assert_allclose(found.get_qform(), SCANNER, atol=1e-5)
    np.testing.assert_array_equal(found.get_fdata(), numbered_volume(SCANNER).array[0])
    np.testing.assert_allclose(itk_affine(path), SCANNER, atol=1e-4)
    assert (int(found.header["sform_code"]), int(found.header["qform_code"])) == (1, 1)
    assert found.header.get_xyzt_units()[0] == "mm"


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_image(tmp_path / name, numbered_volume(SCANNER))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def write_pair(path: Path, magic: bytes = b"ni1\0") -> Path:
    """Write a pair of header and voxels whose two forms disagree."""
    whole = write_with_forms(path.with_suffix(".nii"), VOXELS, forms(REGISTERED, SCANNER))
    data = whole.read_bytes()
    path.write_bytes(data[:348])
    patch_bytes(path, 108, "<f", 0.0)  # the voxels begin at the start of their file
    patch_bytes(path, 344, "4s", magic)
    path.with_suffix(".img").write_bytes(data[352:])
    return path


@pytest.mark.parametrize("named", [".hdr", ".img"])
def test_a_pair_of_header_and_voxels_is_read_by_the_same_rule(tmp_path: Path, named: str) -> None:
    volume = read_image(write_pair(tmp_path / "a.hdr").with_suffix(named))
    np.testing.assert_array_equal(volume.array[0], VOXELS)
    np.testing.assert_allclose(volume.affine, SCANNER, atol=1e-5)
    assert "the qform is used" in volume.warnings[0]


def test_a_header_without_its_voxels_is_refused(tmp_path: Path) -> None:
    path = write_pair(tmp_path / "a.hdr")
    path.with_suffix(".img").unlink()
    with pytest.raises(GenSegError, match=r"a\.img is missing; copy header and voxels together"):
        read_image(path)


def test_an_analyze_header_is_refused_since_it_does_not_say_which_side_is_left(
    tmp_path: Path,
) -> None:
    with pytest.raises(GenSegError, match=r"a\.hdr: .*which side is left; convert the image"):
        read_image(write_pair(tmp_path / "a.hdr", magic=bytes(4)))
