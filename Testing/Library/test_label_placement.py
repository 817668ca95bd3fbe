"""Labels are placed on their image by the positions in both headers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from grids import ball, make_affine

from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.errors import GenSegError
from GenSegLib.images.label_placement import place_label, place_together
from GenSegLib.images.label_resampling import resample_label_steps
from GenSegLib.steps import finish
from Testing.nifti_files import UNSET, forms, write_with_forms
from Testing.volume_files import oblique_affine

ROOT = Path(__file__).resolve().parents[2]
STATM = Path("/proc/self/statm")
FIRST_STEP = f"""
import os, sys
import numpy as np
from GenSegLib.images.label_resampling import resample_label_steps

def resident_mib():
    return int(open("{STATM}").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

label = np.ones((8, 8, 8), np.int16, sys.argv[1])
for _ in resample_label_steps(label, (8, 8, 8), np.eye(4)):
    pass  # memory that the first call alone takes
before = resident_mib()
steps = resample_label_steps(label, (512, 512, 128), np.eye(4))
next(steps)
print(resident_mib() - before)
"""
SHAPE = (24, 20, 16)
GRID = make_affine("LPS", (2.0, 2.0, 3.0), (15, -10, 20), (12, -34, 56))
IMAGE = Volume(np.zeros((1, *SHAPE), np.float32), GRID)
BALL = (ball(GRID, SHAPE, share=0.3) > 0).astype(np.int16)[None]


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_a_label_in_other_axes_is_placed_exactly() -> None:
    flipped = GRID @ np.array([[-1, 0, 0, 23], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
    label = Volume(np.ascontiguousarray(BALL[:, ::-1].transpose(0, 1, 3, 2)), flipped)
    placed = place_label(label, IMAGE)
    np.testing.assert_array_equal(placed.volume.array, BALL)
    assert not placed.warnings


def test_a_label_cropped_to_its_box_is_placed_exactly() -> None:
    start = np.array([4, 3, 2])
    affine = GRID.copy()
    affine[:3, 3] += GRID[:3, :3] @ start
    placed = place_label(Volume(BALL[:, 4:-3, 3:-2, 2:-1], affine), IMAGE)
    np.testing.assert_array_equal(placed.volume.array, BALL)
    assert not placed.warnings


@pytest.mark.parametrize("factor", [2, 3])
def test_a_finer_label_gives_each_voxel_its_largest_part(factor: int) -> None:
    fine = BALL.repeat(factor, 1).repeat(factor, 2).repeat(factor, 3)
    scale = np.diag([1 / factor, 1 / factor, 1 / factor, 1.0])
    scale[:3, 3] = (1 / factor - 1) / 2
    placed = place_label(Volume(fine * 7, GRID @ scale), IMAGE)
    np.testing.assert_array_equal(placed.volume.array, BALL * 7)
    assert "do not coincide with the image's" in placed.warnings[0]


@pytest.mark.parametrize("shift", [0.3, -0.3])
def test_a_label_shifted_by_less_than_half_a_voxel_keeps_its_voxels(shift: float) -> None:
    affine = GRID.copy()
    affine[:3, 3] += GRID[:3, :3] @ [shift, 0, 0]
    placed = place_label(Volume(BALL, affine), IMAGE)
    np.testing.assert_array_equal(placed.volume.array, BALL)


@pytest.mark.parametrize("shift", [0.3, 0.5])
def test_a_label_shifted_by_part_of_a_voxel_is_resampled_in_place(shift: float) -> None:
    affine = GRID.copy()
    affine[:3, 3] += GRID[:3, 0] * shift
    shifted = (ball(affine, SHAPE, share=0.3) > 0).astype(np.int16)[None]
    placed = place_label(Volume(shifted, affine), IMAGE)
    assert dice(placed.volume.array, BALL) > 0.95
    assert "resampled" in placed.warnings[0]


def test_a_label_of_the_images_size_beside_it_is_a_warning() -> None:
    affine = GRID.copy()
    affine[:3, 3] += GRID[:3, 0]
    placed = place_label(Volume(BALL, affine), IMAGE)
    np.testing.assert_array_equal(placed.volume.array[:, 1:], BALL[:, :-1])
    assert "2 mm away from the image" in placed.warnings[0]


@pytest.mark.parametrize(
    "bare",
    [
        np.eye(4),
        np.diag([-1.0, -1.0, 1.0, 1.0]),
        np.diag([2.0, 2.0, 3.0, 1.0]),
        np.diag([-2.0, -2.0, 3.0, 1.0]),
    ],
    ids=["identity", "ITK's identity", "voxel size alone", "voxel size alone, ITK"],
)
def test_a_label_without_its_images_header_is_recognized(bare: np.ndarray) -> None:
    with pytest.raises(GenSegError, match=r"copy the image's header .* \(do not resample"):
        place_label(Volume(BALL, bare), IMAGE)


def test_a_label_without_forms_is_recognized(tmp_path: Path) -> None:
    write_image(tmp_path / "image.nii", IMAGE)
    path = write_with_forms(tmp_path / "label.nii", BALL[0], UNSET)
    with pytest.raises(GenSegError, match=r"label\.nii: .*copy the image's header"):
        read_label(path, read_image(tmp_path / "image.nii"))


def test_an_image_without_forms_is_recognized(tmp_path: Path) -> None:
    path = write_with_forms(tmp_path / "image.nii", IMAGE.array[0], UNSET)
    write_label(tmp_path / "label.nii", Volume(BALL, GRID))
    with pytest.raises(GenSegError, match="copy the label's header to the image"):
        read_label(tmp_path / "label.nii", read_image(path))


@pytest.mark.parametrize("crop", [0, 2])
def test_a_label_by_the_images_other_form_is_on_the_image(tmp_path: Path, crop: int) -> None:
    """nibabel takes the sform of this image, ITK its qform; both label the same voxels."""
    registered = oblique_affine()
    path = write_with_forms(tmp_path / "image.nii", IMAGE.array[0], forms(registered, GRID))
    affine = registered.copy()
    affine[:3, 3] += registered[:3, 0] * crop
    label = write_with_forms(tmp_path / "label.nii", BALL[0, crop:], forms(affine, None))
    warnings: list[str] = []
    read = read_label(label, read_image(path), warn=warnings.append)
    np.testing.assert_array_equal(read.array, BALL)
    assert "copy the image's header to the label" in warnings[-1]


def test_lost_voxels_are_counted_and_a_label_elsewhere_is_refused() -> None:
    shape = (24, 20, 10)
    part = Volume(np.zeros((1, *shape), np.float32), GRID)
    voxels = np.zeros((1, *SHAPE), np.int16)
    voxels[0, 5:15, 5:15, 1:11] = 1
    placed = place_label(Volume(voxels, GRID), part)
    assert placed.volume.array.sum() == 900
    assert placed.warnings == ("100 of 1000 labeled voxels lie outside the image and are lost",)
    voxels[0, 5:15, 5:15, 11:13] = 1
    with pytest.raises(GenSegError, match="300 of 1200 labeled voxels lie outside the image"):
        place_label(Volume(voxels, GRID), part)


def test_two_labels_meet_on_a_grid_of_both_without_loss() -> None:
    affine = GRID.copy()
    affine[:3, 3] += GRID[:3, 2] * 2
    low, high = Volume(BALL[..., :14], GRID), Volume(BALL[..., 2:], affine)
    placed, other = place_together(high, low)
    one = placed.volume
    assert one.shape == other.shape == SHAPE
    assert one.array.sum() == BALL[..., 2:].sum()
    assert other.array.sum() == BALL[..., :14].sum()


def test_a_label_in_a_file_is_placed_on_its_image(tmp_path: Path) -> None:
    write_label(tmp_path / "a.seg.nrrd", Volume(BALL[:, :20], GRID), {1: "Ball"})
    label = read_label(tmp_path / "a.seg.nrrd", IMAGE)
    np.testing.assert_array_equal(label.array[:, :20], BALL[:, :20])
    assert label.shape == SHAPE


def test_a_label_too_thin_for_the_images_voxels_is_counted() -> None:
    fine = BALL.repeat(4, 1).repeat(4, 2).repeat(4, 3)
    fine[0, 1, 1, :2] = 6
    scale = np.diag([0.25, 0.25, 0.25, 1.0])
    scale[:3, 3] = (0.25 - 1) / 2
    placed = place_label(Volume(fine, GRID @ scale), IMAGE)
    np.testing.assert_array_equal(placed.volume.array, BALL)
    lost = "label value 6 covers less than half of each voxel and is lost (2 of its voxels)"
    assert placed.warnings[-1] == lost


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_resampled_label_keeps_its_memory_layout(order: Literal["C", "F"]) -> None:
    label = np.ones((8, 8, 8), np.int16, order)
    result = finish(resample_label_steps(label, (64, 64, 32), np.eye(4)))
    assert result.flags.f_contiguous == (order == "F")
    assert result.sum() == result[:8, :8, :8].sum() == 8**3


@pytest.mark.skipif(not STATM.is_file(), reason="needs the memory of the process from Linux")
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_memory_of_a_resampled_label_is_taken_slice_by_slice(order: Literal["C", "F"]) -> None:
    """Measured in a process of its own, since those of other tests use memory at the same time."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST_STEP, order],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert float(done.stdout) < 16  # of 64 MiB
