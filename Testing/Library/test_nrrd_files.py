"""NRRD files that are written slice by slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from GenSegLib.datasets.image_io import read_image
from GenSegLib.images.nrrd_files import write_nrrd_steps
from GenSegLib.steps import finish

AFFINE = np.array([[0.0, -0.7, 0, 12.5], [0.6, 0, 0, -3], [0, 0, 2.5, 7], [0, 0, 0, 1]])
TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("dtype", TYPES)
def test_voxels_and_geometry_are_read_as_they_were_written(
    tmp_path: Path, dtype: str, compress: bool
) -> None:
    voxels = np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(dtype)
    finish(write_nrrd_steps(tmp_path / "image.nrrd", voxels, AFFINE, compress))
    read = read_image(tmp_path / "image.nrrd", dtype=None)
    np.testing.assert_array_equal(read.array[0].T, voxels)
    np.testing.assert_allclose(read.affine, AFFINE, atol=1e-12)
    assert read.array.dtype == dtype


def test_components_become_channels(tmp_path: Path) -> None:
    voxels = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    finish(write_nrrd_steps(tmp_path / "image.nrrd", voxels, AFFINE))
    read = read_image(tmp_path / "image.nrrd", dtype=None)
    np.testing.assert_array_equal(read.array.transpose(3, 2, 1, 0), voxels)


@pytest.mark.parametrize("is_stack", [False, True])
@pytest.mark.parametrize("components", [(), (3,)])
def test_the_file_says_whether_its_slices_are_images_of_their_own(
    tmp_path: Path, components: tuple[int, ...], is_stack: bool
) -> None:
    voxels = np.zeros((2, 3, 4, *components), np.uint8)
    finish(write_nrrd_steps(tmp_path / "image.nrrd", voxels, AFFINE, is_stack=is_stack))
    assert read_image(tmp_path / "image.nrrd").is_stack == is_stack


@pytest.mark.parametrize("unit", ["mm", "px"])
@pytest.mark.parametrize("components", [(), (3,)])
def test_the_file_says_whether_a_2d_image_is_in_pixels(
    tmp_path: Path, components: tuple[int, ...], unit: str
) -> None:
    for slices, expected in ((1, unit), (2, "mm")):
        voxels = np.zeros((slices, 3, 4, *components), np.uint8)
        finish(write_nrrd_steps(tmp_path / "image.nrrd", voxels, AFFINE, unit=unit))
        read = read_image(tmp_path / "image.nrrd")
        assert read.unit == expected
        np.testing.assert_allclose(read.affine, AFFINE, atol=1e-12)


def test_each_slice_is_a_step(tmp_path: Path) -> None:
    steps = write_nrrd_steps(tmp_path / "image.nrrd", np.zeros((7, 3, 4), np.int16), AFFINE, True)
    assert len(list(steps)) == 7
