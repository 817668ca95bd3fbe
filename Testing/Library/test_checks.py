"""Checks of cases: every kind of error, each in a file made for it."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.checks.case_check import CaseCheck, format_table
from GenSegLib.checks.check_cases import check_cases, require_no_errors
from GenSegLib.checks.duplicates import image_content
from GenSegLib.datasets.image_io import Volume, read_label, write_image, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError

NAMES = {1: "Anterior", 2: "Posterior"}


@pytest.fixture
def check_pair(tmp_path: Path) -> Callable[[Volume, Volume], CaseCheck]:
    """A function that writes an image and its label and checks them as one case."""

    def check(image: Volume, label: Volume) -> CaseCheck:
        case = Case("a", tmp_path / "image.nii", tmp_path / "label.nii")
        write_image(case.image, image)
        write_label(tmp_path / "label.nii", label)
        return check_cases(CaseSet((case,), NAMES))[0]

    return check


def check_replaced(root: Path, name: str, data: bytes) -> CaseCheck:
    """Replace a file's content and check its case."""
    (root / name).write_bytes(data)
    return check_cases(read_cases(root))[0]


def test_a_valid_case_is_described(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, label)
    assert check.ok
    assert check.shape == (12, 10, 8)
    np.testing.assert_allclose(check.spacing, (1.0, 1.5, 2.0))
    assert check.orientation == "RAS"
    assert check.intensity == (image.array.min(), image.array.max())
    assert check.voxels == {1: (label.array == 1).sum(), 2: (label.array == 2).sum()}


def test_unlabeled_cases_need_no_label(tmp_path: Path, tiny_pair) -> None:
    write_image(tmp_path / "a.nii", tiny_pair[0])
    (check,) = check_cases(CaseSet((Case("a", tmp_path / "a.nii", role=Role.UNLABELED),)))
    assert check.ok


def test_a_cropped_label_is_placed_on_its_image(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, Volume(label.array[:, :-1], label.affine))
    assert check.ok
    assert sum(check.voxels.values()) == np.count_nonzero(label.array[:, :-1])


def test_a_label_on_another_grid_is_resampled_with_a_warning(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    fine = Volume(label.array.repeat(2, axis=3), label.affine @ np.diag([1, 1, 0.5, 1]))
    check = check_pair(image, fine)
    assert check.ok
    assert "the label was resampled to the image" in check.warnings[0]
    assert check.voxels == pytest.approx(
        {value: int((label.array == value).sum()) for value in (1, 2)}, rel=0.25
    )


@pytest.mark.parametrize("flip", [np.diag([1.0, 1, 1, 1]), np.diag([-1.0, -1, 1, 1])])
def test_a_label_beside_its_image_is_an_error(tiny_pair, check_pair, flip: np.ndarray) -> None:
    image, label = tiny_pair
    affine = flip @ label.affine
    affine[0, 3] += 100
    assert "lie outside the image" in check_pair(image, Volume(label.array, affine)).errors[0]


def test_an_empty_label_is_an_error(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, Volume(np.zeros_like(label.array), label.affine))
    assert check.errors == ("the label is empty; segment the case or leave it out",)


def test_label_values_outside_the_map_are_an_error(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, Volume(label.array * 3, label.affine))
    assert check.errors == ("label values 3, 6 are not in the label map (1 Anterior, 2 Posterior)",)


def test_the_expected_label_map_replaces_the_cases_own(
    write_tiny_cases: Callable[..., Path],
) -> None:
    cases = read_cases(write_tiny_cases(1))
    assert check_cases(cases)[0].ok, "without a map, any value is valid"
    (check,) = check_cases(replace(cases, labels={1: "Liver"}))
    assert check.errors == ("label values 2 are not in the label map (1 Liver)",)


@pytest.mark.parametrize(("value", "count"), [(np.nan, 2), (np.inf, 2), (np.nan, 960)])
def test_nan_and_infinite_voxels_are_an_error(
    tiny_pair, check_pair, value: float, count: int
) -> None:
    image, label = tiny_pair
    image.array.reshape(-1)[:count] = value
    check = check_pair(image, label)
    assert check.errors == (f"{count} voxels of the image are NaN or infinite",)


def test_a_constant_image_is_an_error(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(Volume(np.full_like(image.array, 7), image.affine), label)
    assert check.errors == ("all voxels of the image have the same value (7)",)


@pytest.mark.parametrize("factor", [1000.0, 1e-4])
def test_an_implausible_spacing_is_an_error(tiny_pair, check_pair, factor: float) -> None:
    grid = tiny_pair[0].affine @ np.diag([factor, factor, factor, 1])
    check = check_pair(*(Volume(volume.array, grid) for volume in tiny_pair))
    assert len(check.errors) == 1
    assert check.errors[0].startswith("implausible spacing")


def test_an_unreadable_image_leaves_the_label_checked(
    write_tiny_cases: Callable[..., Path],
) -> None:
    check = check_replaced(write_tiny_cases(1), "images/case_0.nii.gz", b"no image")
    assert "not a NIfTI file" in check.errors[0]
    assert check.voxels
    assert check.shape == ()


def test_a_duplicate_image_is_a_warning(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(3)
    for part in ("images", "labels"):
        shutil.copy(root / part / "case_0.nii.gz", root / part / "case_2.nii.gz")
    checks = check_cases(read_cases(root))
    assert [check.ok for check in checks] == [True, True, True]
    assert checks[2].duplicate_of == "case_0"
    assert checks[2].warnings == ("the image is a duplicate of case case_0; remove one of the two",)


def test_a_duplicate_of_another_voxel_type_is_a_warning(tmp_path: Path, tiny_pair) -> None:
    voxels = tiny_pair[0].array.round()
    moved = tiny_pair[0].affine.copy()
    moved[:3, 3] += 4
    write_image(tmp_path / "a.nii", Volume(voxels, tiny_pair[0].affine))
    write_image(tmp_path / "b.nii", Volume(voxels.astype(np.int16), moved))
    cases = (Case(name, tmp_path / f"{name}.nii", role=Role.UNLABELED) for name in "ab")
    assert [check.duplicate_of for check in check_cases(CaseSet(tuple(cases)))] == ["", "a"]


def test_a_duplicate_in_other_axes_is_a_warning(tmp_path: Path, tiny_pair) -> None:
    image = tiny_pair[0]
    flipped = Volume(image.array[:, ::-1], image.affine @ np.diag([-1.0, 1, 1, 1]))
    for name, volume in (("a", image), ("b", flipped)):
        write_image(tmp_path / f"{name}.nii", volume)
    cases = (Case(name, tmp_path / f"{name}.nii", role=Role.UNLABELED) for name in "ab")
    first, second = check_cases(CaseSet(tuple(cases)))
    assert not first.warnings
    assert second.ok
    assert (
        "same 960 voxels as case a, stored with other axes (LAS instead of RAS)"
        in second.warnings[0]
    )


def test_cases_without_a_lesion_are_cases_to_learn_from(
    write_tiny_cases: Callable[..., Path],
) -> None:
    root = write_tiny_cases(2)
    path = root / "labels" / "case_1.nii.gz"
    label = read_label(path)
    write_label(path, Volume(np.zeros_like(label.array), label.affine))
    first, second = check_cases(read_cases(root))
    assert first.ok
    assert second.ok
    assert second.warnings[0].startswith("the label is empty")


def test_a_micro_ct_is_sound(tiny_pair, check_pair) -> None:
    grid = np.diag([0.006, 0.006, 0.006, 1])
    assert check_pair(*(Volume(volume.array, grid) for volume in tiny_pair)).ok


def test_files_are_not_modified(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(2)
    before = {path: path.read_bytes() for path in root.rglob("*.nii.gz")}
    check_cases(read_cases(root))
    assert {path: path.read_bytes() for path in root.rglob("*.*")} == before


def test_the_table_has_a_row_per_case_and_every_error(
    write_tiny_cases: Callable[..., Path],
) -> None:
    root = write_tiny_cases(2)
    (root / "images" / "case_1.nii.gz").write_bytes(b"no image")
    checks = check_cases(read_cases(root))
    lines = format_table(checks).splitlines()
    assert lines[0].split()[:2] == ["case", "shape"]
    assert lines[2].split()[:4] == ["case_0", "12x10x8", "1x1.5x2", "RAS"]
    assert lines[2].endswith("ok")
    assert lines[3].split()[:4] == ["case_1", "-", "-", "-"]
    assert lines[3].endswith("1 error")
    assert lines[-2].startswith("case_1: ")
    assert lines[-1] == "1 of 2 cases passed"
    with pytest.raises(GenSegError, match="1 of 2 cases have errors, first case case_1: "):
        require_no_errors(checks)


def test_a_large_photo_is_compared_without_a_copy() -> None:
    photo = Volume(np.zeros((3, 2000, 1000, 1), np.uint8), np.eye(4))
    tracemalloc.start()
    image_content(photo)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < photo.array.nbytes / 2
