"""Every fault that a case can have, each in a file made for it."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.data.checks import CaseCheck, check_cases, format_table, require_sound
from GenSegLib.data.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.images.image_io import Volume, write_image, write_label

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


def check_broken(root: Path, name: str, data: bytes) -> CaseCheck:
    """Put other bytes in place of a file and check its case."""
    (root / name).write_bytes(data)
    return check_cases(read_cases(root))[0]


def test_a_sound_case_is_described(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, label)
    assert check.ok
    assert check.shape == (12, 10, 8)
    np.testing.assert_allclose(check.spacing, (1.0, 1.5, 2.0))
    assert check.orientation == "RAS"
    assert check.intensity == (image.array.min(), image.array.max())
    assert check.voxels == {1: (label.array == 1).sum(), 2: (label.array == 2).sum()}


def test_real_cases_are_sound(hippocampus: Path) -> None:
    cases = read_cases(hippocampus).low_data(20, seed=0)
    seen = []
    checks = check_cases(cases, progress=lambda done, total: seen.append((done, total)))
    require_sound(checks)
    assert seen[-1] == (20, 20)
    assert all(set(check.voxels) == {1, 2} for check in checks)


def test_an_unlabeled_case_needs_no_label(tmp_path: Path, tiny_pair) -> None:
    write_image(tmp_path / "a.nii", tiny_pair[0])
    (check,) = check_cases(CaseSet((Case("a", tmp_path / "a.nii", role=Role.UNLABELED),)))
    assert check.ok


def test_a_label_of_another_shape_is_found(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, Volume(label.array[:, :-1], label.affine))
    assert check.faults == (
        "image and label are on different grids (12x10x8 and 11x10x8 voxels); resample the label",
    )


def test_a_label_of_another_spacing_is_found(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, Volume(label.array, label.affine @ np.diag([1, 1, 1.5, 1])))
    assert "different grids (spacing 1x1.5x2 and 1x1.5x3 mm)" in check.faults[0]


@pytest.mark.parametrize("flip", [np.diag([1.0, 1, 1, 1]), np.diag([-1.0, -1, 1, 1])])
def test_a_shifted_or_turned_label_is_found(tiny_pair, check_pair, flip: np.ndarray) -> None:
    image, label = tiny_pair
    affine = flip @ label.affine
    affine[0, 3] += 3
    assert "shifted or turned" in check_pair(image, Volume(label.array, affine)).faults[0]


def test_an_empty_label_is_found(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, Volume(np.zeros_like(label.array), label.affine))
    assert check.faults == ("the label is empty; draw it or leave the case out",)


def test_label_values_that_are_not_in_the_map_are_found(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(image, Volume(label.array * 3, label.affine))
    assert check.faults == ("label values 3, 6 are not in the map (1 Anterior, 2 Posterior)",)


def test_the_expected_map_goes_before_the_cases_own(write_tiny_cases: Callable[..., Path]) -> None:
    cases = read_cases(write_tiny_cases(1))
    (check,) = check_cases(cases, {1: "Liver"})
    assert check.faults == ("label values 2 are not in the map (1 Liver)",)


def test_without_a_map_any_label_value_is_sound(write_tiny_cases: Callable[..., Path]) -> None:
    assert check_cases(read_cases(write_tiny_cases(1)))[0].ok


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_voxels_that_are_no_numbers_are_found(tiny_pair, check_pair, value: float) -> None:
    image, label = tiny_pair
    image.array[0, 0, 0, :2] = value
    check = check_pair(image, label)
    assert check.faults == ("2 voxels of the image are NaN or infinite",)
    assert np.isfinite(check.intensity).all()


def test_an_image_of_nothing_but_nan_is_found(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(Volume(np.full_like(image.array, np.nan), image.affine), label)
    assert check.faults == ("960 voxels of the image are NaN or infinite",)


def test_a_constant_image_is_found(tiny_pair, check_pair) -> None:
    image, label = tiny_pair
    check = check_pair(Volume(np.full_like(image.array, 7), image.affine), label)
    assert check.faults == ("the image is constant (7 everywhere)",)


@pytest.mark.parametrize("factor", [1000.0, 1e-4])
def test_an_absurd_spacing_is_found(tiny_pair, check_pair, factor: float) -> None:
    grid = tiny_pair[0].affine @ np.diag([factor, factor, factor, 1])
    check = check_pair(*(Volume(volume.array, grid) for volume in tiny_pair))
    assert len(check.faults) == 1
    assert "mm is absurd" in check.faults[0]


def test_a_zero_spacing_is_found(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(1, suffix=".nii")
    data = bytearray((root / "images" / "case_0.nii").read_bytes())
    struct.pack_into("<f", data, 84, 0.0)
    check = check_broken(root, "images/case_0.nii", bytes(data))
    assert "the spacing 1 x 0 x 2 mm is not above zero" in check.faults[0]


def test_a_4d_image_is_found(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(1, suffix=".nii")
    data = bytearray((root / "images" / "case_0.nii").read_bytes())
    struct.pack_into("<8h", data, 40, 4, 12, 10, 4, 2, 1, 1, 1)
    check = check_broken(root, "images/case_0.nii", bytes(data))
    assert "a 4-D image of 12 x 10 x 4 x 2 voxels" in check.faults[0]


def test_an_rgb_image_is_found(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(1, suffix=".nii")
    data = bytearray((root / "images" / "case_0.nii").read_bytes())
    struct.pack_into("<2h", data, 70, 128, 24)
    check = check_broken(root, "images/case_0.nii", bytes(data))
    assert "an RGB image" in check.faults[0]


@pytest.mark.parametrize("part", ["images", "labels"])
def test_a_truncated_file_is_found(write_tiny_cases: Callable[..., Path], part: str) -> None:
    root = write_tiny_cases(1)
    name = f"{part}/case_0.nii.gz"
    data = (root / name).read_bytes()
    check = check_broken(root, name, data[: len(data) // 2])
    assert len(check.faults) == 1
    assert f"{name}: truncated or damaged" in check.faults[0]


def test_an_unreadable_file_is_found(write_tiny_cases: Callable[..., Path]) -> None:
    check = check_broken(write_tiny_cases(1), "images/case_0.nii.gz", b"no image")
    assert "no NIfTI header" in check.faults[0]
    assert check.voxels
    assert check.shape == ()


def test_a_listed_label_that_is_missing_is_found(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(1)
    cases = read_cases(root)
    (root / "labels" / "case_0.nii.gz").unlink()
    (check,) = check_cases(cases)
    assert "case_0.nii.gz: cannot be read (No such file or directory)" in check.faults[0]


def test_an_image_that_comes_twice_is_found(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(3)
    for part in ("images", "labels"):
        shutil.copy(root / part / "case_0.nii.gz", root / part / "case_2.nii.gz")
    checks = check_cases(read_cases(root))
    assert [check.ok for check in checks] == [True, True, False]
    assert checks[2].faults == ("the image is a duplicate of case case_0's",)


def test_a_value_that_changes_its_name_between_cases_is_found(tmp_path: Path, tiny_pair) -> None:
    image, label = tiny_pair
    cases = []
    for k, names in enumerate([NAMES, {1: "posterior", 2: "anterior"}]):
        case = Case(f"c{k}", tmp_path / f"{k}.nrrd", tmp_path / f"{k}.seg.nrrd")
        write_image(case.image, Volume(image.array + k, image.affine))
        write_label(tmp_path / f"{k}.seg.nrrd", label, names)
        cases.append(case)
    checks = check_cases(CaseSet(tuple(cases)))
    assert checks[0].ok
    assert checks[1].faults[0] == "label value 1 is 'posterior' here and 'Anterior' in case c0"


def test_checking_changes_no_file(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(2)
    before = {path: path.read_bytes() for path in root.rglob("*.nii.gz")}
    check_cases(read_cases(root))
    assert {path: path.read_bytes() for path in root.rglob("*.*")} == before


def test_the_table_has_a_line_a_case_and_every_fault(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(2)
    (root / "images" / "case_1.nii.gz").write_bytes(b"no image")
    lines = format_table(check_cases(read_cases(root))).splitlines()
    assert lines[0].split()[:2] == ["case", "shape"]
    assert lines[2].split()[:4] == ["case_0", "12x10x8", "1x1.5x2", "RAS"]
    assert lines[2].endswith("ok")
    assert lines[3].split()[:4] == ["case_1", "-", "-", "-"]
    assert lines[3].endswith("1 fault")
    assert lines[-2].startswith("case_1: ")
    assert lines[-1] == "1 of 2 cases are sound"


def test_a_training_is_stopped_by_the_first_fault(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(3)
    (root / "images" / "case_1.nii.gz").write_bytes(b"no image")
    with pytest.raises(GenSegError, match="1 of 3 cases have faults, the first is case case_1"):
        require_sound(check_cases(read_cases(root)))
