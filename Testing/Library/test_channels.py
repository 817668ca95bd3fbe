"""Images of several channels: in one file or in several, read, predicted and written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from GenSegLib.cases import Case, CaseSet
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.datasets.channels import group_files, read_channels, require_all_channels
from GenSegLib.datasets.image_folders import list_cases
from GenSegLib.datasets.image_io import Volume, read_image, read_label, write_image, write_label
from GenSegLib.errors import GenSegError
from Testing.dicom_pictures import write_dicom_picture
from Testing.volume_files import numbered_volume, oblique_affine, write_array


def two_channels() -> Volume:
    first = numbered_volume(oblique_affine())
    return replace(first, array=np.concatenate([first.array, 100 - first.array]))


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
def test_channels_of_one_file_are_written_and_read(tmp_path: Path, name: str) -> None:
    volume = two_channels()
    write_image(tmp_path / name, volume)
    read = read_image(tmp_path / name)
    np.testing.assert_array_equal(read.array, volume.array)
    np.testing.assert_allclose(read.affine, volume.affine, atol=1e-5)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd"])
def test_colors_are_channels(tmp_path: Path, name: str) -> None:
    array = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    path = write_array(tmp_path / name, array, color=True)
    np.testing.assert_array_equal(read_image(path).array, array.transpose(3, 2, 1, 0))
    with pytest.raises(GenSegError, match=r"3 values per voxel \(an RGB image"):
        read_label(path)


def test_files_of_one_case_are_channels(tmp_path: Path) -> None:
    volume = two_channels()
    paths = [tmp_path / f"a_000{k}.nii.gz" for k in range(2)]
    for k, path in enumerate(paths):
        write_image(path, Volume(volume.array[k : k + 1], volume.affine))
    np.testing.assert_array_equal(read_channels(paths).array, volume.array)
    moved = volume.affine.copy()
    moved[0, 3] += 9
    write_image(paths[1], Volume(volume.array[:1], moved))
    with pytest.raises(GenSegError, match=r"a_0001.nii.gz: not on the grid of a_0000.nii.gz"):
        read_channels(paths)


def test_files_are_grouped_as_the_model_has_channels() -> None:
    paths = [Path(f"x/{name}.nii.gz") for name in ("a_0000", "a_0001", "b")]
    assert list(group_files(paths, 1).values()) == [[path] for path in paths]
    assert group_files(paths, 2) == {"x/a": paths[:2], "x/b.nii.gz": paths[2:]}


def test_numbers_of_photos_are_not_channels(tmp_path: Path) -> None:
    names = ("photo_0001.jpg", "photo_0002.jpg")
    photos = [tmp_path / name for name in names]
    scans = [
        write_dicom_picture(
            tmp_path / f"us_000{k}.dcm", "US", np.zeros((1, 9, 9, 3), np.uint8), "RGB"
        )
        for k in (1, 2)
    ]
    for paths in (photos, scans):
        assert list(group_files(paths, 3).values()) == [[path] for path in paths]
    gray = Volume(np.zeros((1, 9, 9, 1)), np.eye(4))
    require_all_channels(photos[:1], gray, 3)  # the model says that it is for color


def test_gray_pictures_are_channels_of_a_model_of_three(tmp_path: Path) -> None:
    stains = [tmp_path / f"a_000{k}.png" for k in range(3)]
    colors = [tmp_path / f"photo_000{k}.png" for k in range(3)]
    for path, channels in (*((stain, 1) for stain in stains), *((color, 3) for color in colors)):
        write_image(path, Volume(np.zeros((channels, 9, 9, 1), np.uint8), np.eye(4)))
    found = group_files([*stains, *colors], 3)
    assert list(found.values()) == [stains, *([color] for color in colors)]
    with pytest.raises(GenSegError, match=r"channel 2, the file a_0002, is missing"):
        require_all_channels(stains[:2], read_channels(stains[:2]), 3)


@pytest.mark.parametrize(
    ("names", "channels", "cases"),
    [
        (["a_0000", "a_0001", "b_0000", "b_0001"], 0, {"a": 2, "b": 2}),
        (["a_0000", "a_0001", "b_0000"], 0, {"a_0000": 1, "a_0001": 1, "b_0000": 1}),
        (["a_0000", "b_0000"], 0, {"a_0000": 1, "b_0000": 1}),
        (["a_0000", "a_0001", "c"], 2, {"a": 2, "c": 1}),
        (["a_0000", "a_0001"], 1, {"a_0000": 1, "a_0001": 1}),
    ],
)
def test_channels_of_a_folder_are_those_that_all_images_have_unless_the_model_says(
    tmp_path: Path, names: list[str], channels: int, cases: dict[str, int]
) -> None:
    for name in names:
        (tmp_path / f"{name}.nrrd").touch()
    found = list_cases(tmp_path, channels)
    assert {name: len(paths) for name, paths in found.items()} == cases


def test_photos_are_cases_of_their_own_and_names_are_unique(tmp_path: Path) -> None:
    for name in ("IMG_0000.jpg", "IMG_0001.jpg", "x.png", "X.jpg"):
        (tmp_path / name).touch()
    assert list(list_cases(tmp_path)) == ["IMG_0000", "IMG_0001", "X", "x_2"]


def test_a_missing_channel_is_named() -> None:
    one = Volume(np.zeros((1, 4, 4, 4)), np.eye(4))
    with pytest.raises(GenSegError, match=r"b_0000.nii: channel 1, the file b_0001, is missing"):
        require_all_channels([Path("x/b_0000.nii")], one, 2)
    require_all_channels([Path("x/b_0000.nii")], one, 1)
    require_all_channels([Path("x/four.nii")], one, 2)  # the model says how many it expects


def test_a_case_with_other_channels_is_an_error(tmp_path: Path) -> None:
    cases = []
    for name, count in (("a", 2), ("b", 1)):
        volume = two_channels()
        image, label = tmp_path / f"{name}.nii", tmp_path / f"{name}_l.nii"
        write_image(image, Volume(volume.array[-count:] + ord(name), volume.affine))
        write_label(label, Volume((volume.array[:1] > 30).astype(np.int16), volume.affine))
        cases.append(Case(name, image, label))
    a, b = check_cases(CaseSet(tuple(cases), {1: "one"}))
    assert a.ok
    assert b.errors == ("the image has 1 channel, but case a has 2",)
