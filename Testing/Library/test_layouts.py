"""Folder layouts and lists of cases, and errors in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from GenSegLib.cases import Role
from GenSegLib.data.layouts import (
    list_images,
    list_labels,
    read_cases,
    read_label_names,
    read_pair_folders,
)
from GenSegLib.dicom.files import is_dicom_folder
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import image_stem, is_image_file


def touch(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def write_dataset(folder: Path, values: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


DECATHLON = {
    "modality": {"0": "MRI"},
    "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
    "training": [{"image": "./imagesTr/a.nii.gz", "label": "./labelsTr/a.nii.gz"}],
    "test": ["./imagesTs/b.nii.gz"],
}
NNUNET = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "liver": 1, "lesion": 2},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def test_a_decathlon_data_set_is_read(hippocampus: Path) -> None:
    cases = read_cases(hippocampus)
    assert len(cases.labeled) == 208
    assert cases.labels == {1: "Anterior", 2: "Posterior"}
    assert cases.modality == "MR"
    assert all(case.image.is_file() and case.label.is_file() for case in cases.cases)


def test_test_images_of_the_decathlon_are_not_read(tmp_path: Path) -> None:
    cases = read_cases(write_dataset(tmp_path, DECATHLON))
    assert [case.name for case in cases.cases] == ["a"]
    assert cases.cases[0].label == tmp_path / "labelsTr" / "a.nii.gz"


def test_an_nnunet_data_set_is_read(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET)
    touch(tmp_path / "imagesTr", "liver_001_0000.nii.gz", "._liver_001_0000.nii.gz")
    touch(tmp_path / "imagesTs", "liver_002_0000.nii.gz")
    touch(tmp_path / "labelsTr", "liver_001.nii.gz")
    cases = read_cases(tmp_path)
    assert [case.name for case in cases.cases] == ["liver_001"]
    assert cases.cases[0].image.name == "liver_001_0000.nii.gz"
    assert cases.labels == {1: "liver", 2: "lesion"}
    assert cases.modality == "CT"


def test_an_nnunet_case_without_a_label_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET)
    touch(tmp_path / "imagesTr", "a_0000.nii.gz", "b_0000.nii.gz")
    touch(tmp_path / "labelsTr", "a.nii.gz")
    with pytest.raises(GenSegError, match="case b has no label"):
        read_cases(tmp_path)


def test_several_channels_in_a_dataset_are_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET | {"channel_names": {"0": "T1", "1": "T2"}})
    with pytest.raises(GenSegError, match=r"dataset.json: 2 channels \(T1, T2\).*not supported"):
        read_cases(tmp_path)


def test_several_channel_files_per_case_are_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET)
    touch(tmp_path / "imagesTr", "a_0000.nii.gz", "a_0001.nii.gz")
    touch(tmp_path / "labelsTr", "a.nii.gz")
    with pytest.raises(GenSegError, match="multi-channel cases are not supported"):
        read_cases(tmp_path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"background": 0, "whole": [1, 2]}, "region labels"),
        ({"background": 0, "liver": 1, "ignore": 2}, "ignore"),
        (["liver"], "must be an object"),
    ],
)
def test_unsupported_label_maps_are_refused(tmp_path: Path, labels: object, message: str) -> None:
    write_dataset(tmp_path, NNUNET | {"labels": labels})
    touch(tmp_path / "imagesTr", "a_0000.nii.gz")
    touch(tmp_path / "labelsTr", "a.nii.gz")
    with pytest.raises(GenSegError, match=message):
        read_cases(tmp_path)


def test_images_and_labels_are_paired_by_name(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(3)
    (root / "labels" / "case_2.nii.gz").unlink()
    cases = read_cases(root)
    assert [case.name for case in cases.of_role(Role.TRAIN)] == ["case_0", "case_1"]
    assert [case.name for case in cases.of_role(Role.UNLABELED)] == ["case_2"]


def test_image_and_label_may_have_different_formats(tmp_path: Path) -> None:
    touch(tmp_path / "ct", "a.nii.gz")
    touch(tmp_path / "masks", "a.seg.nrrd")
    (case,) = read_pair_folders(tmp_path / "ct", tmp_path / "masks").cases
    assert case.label == tmp_path / "masks" / "a.seg.nrrd"


def test_a_label_without_an_image_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "images", "a.nii.gz")
    touch(tmp_path / "labels", "a.nii.gz", "b.nii.gz")
    with pytest.raises(GenSegError, match=r"b\.nii\.gz: no image of the same name"):
        read_cases(tmp_path)


def test_an_empty_folder_of_labels_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "images", "a.nii.gz")
    touch(tmp_path / "labels")
    with pytest.raises(GenSegError, match="labels: no images in this folder"):
        read_cases(tmp_path)


def test_a_cases_json_is_read(tmp_path: Path) -> None:
    entry = {"name": "a", "image": "mr/a.nrrd", "label": "seg/a.seg.nrrd", "role": "validate"}
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [entry]}), encoding="utf-8")
    for path in (tmp_path, tmp_path / "cases.json"):
        (case,) = read_cases(path).cases
        assert case.image == tmp_path / "mr" / "a.nrrd"
        assert case.role is Role.VALIDATE


@pytest.mark.parametrize("name", ["dataset.json", "cases.json"])
def test_invalid_json_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"training": [', encoding="utf-8")
    with pytest.raises(GenSegError, match=rf"{name}.*not valid JSON") as caught:
        read_cases(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x"}, "has none of"),
        ({"training": {}}, "must be a list"),
        ({"training": ["a.nii.gz"]}, 'lacks "image" or "label"'),
        ({"training": [{"image": "a.nii.gz"}]}, 'lacks "image" or "label"'),
        (DECATHLON | {"labels": {"one": "x"}}, "must be integers"),
        (DECATHLON | {"modality": {"0": "T1", "1": "T2"}}, "multi-channel cases are not supported"),
        (DECATHLON | {"training": DECATHLON["training"] * 2}, "several cases are named a"),
    ],
)
def test_invalid_entries_are_explained(tmp_path: Path, values: dict, message: str) -> None:
    write_dataset(tmp_path, values)
    with pytest.raises(GenSegError, match=rf"dataset\.json: .*{message}"):
        read_cases(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GenSegError, match="nowhere: no such folder"):
        read_cases(tmp_path / "nowhere")


def test_an_unknown_layout_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii.gz")
    with pytest.raises(GenSegError, match="no cases found"):
        read_cases(tmp_path)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.nii.gz", "a"),
        ("a.b.nii.gz", "a.b"),
        ("x.seg.nrrd", "x"),
        ("x.nrrd", "x"),
        ("X.NII.GZ", "X"),
        ("slice.dcm", "slice"),
    ],
)
def test_the_stem_of_an_image_has_no_suffix(name: str, stem: str) -> None:
    assert image_stem(Path("folder") / name) == stem


def test_hidden_files_and_other_formats_are_not_images() -> None:
    names = ["a.nii", "a.nii.gz", "a.MHA", "._a.nii.gz", "notes.txt", "a.nii.gz.txt"]
    assert [is_image_file(Path(name)) for name in names] == [True, True, True, False, False, False]


def test_the_images_of_a_folder_are_listed_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "b.nrrd", "a.nii.gz", "notes.txt")
    assert [path.name for path in list_images(tmp_path)] == ["a.nii.gz", "b.nrrd"]
    assert list_images(tmp_path / "b.nrrd") == [tmp_path / "b.nrrd"]


def test_a_dicom_series_is_one_image(abdomen: Path) -> None:
    series = abdomen / "dicom_ct3"
    assert list_images(series) == [series]
    assert series in list_images(abdomen)


@pytest.mark.parametrize(("name", "message"), [("absent", "no such file"), ("empty", "no images")])
def test_a_folder_without_images_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(GenSegError, match=f"{name}: {message}"):
        list_images(tmp_path / name)


def test_a_folder_of_dicom_segs_contains_labels_but_no_images(
    tmp_path: Path, abdomen: Path
) -> None:
    copy = tmp_path / "labels" / "case_1.dcm"
    copy.parent.mkdir()
    copy.write_bytes((abdomen / "dicom_ct3_liver_seg.dcm").read_bytes())
    assert not is_dicom_folder(copy.parent)
    assert list_labels(copy.parent) == [copy]
    with pytest.raises(GenSegError, match="contains DICOM SEG labels but no images"):
        list_images(copy.parent)


def test_a_series_is_paired_with_the_dicom_seg_of_the_same_name(
    tmp_path: Path, abdomen: Path
) -> None:
    shutil.copytree(abdomen / "dicom_ct3", tmp_path / "images" / "case_1")
    (tmp_path / "labels").mkdir()
    shutil.copy(abdomen / "dicom_ct3_liver_seg.dcm", tmp_path / "labels" / "case_1.dcm")
    (case,) = read_cases(tmp_path).cases
    assert (case.name, case.role) == ("case_1", Role.TRAIN)
    assert case.label == tmp_path / "labels" / "case_1.dcm"


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"training": [], "labels": {"0": "background", "1": "Liver"}}, {1: "Liver"}),
        ({"channel_names": {"0": "T1", "1": "T2"}, "labels": {"Liver": 1}}, {1: "Liver"}),
        ({"made by": "another tool"}, {}),
        ({"labels": {"Liver": [1, 2]}}, {}),
    ],
)
def test_label_names_are_read_even_if_the_cases_are_not_supported(
    tmp_path: Path, values: dict[str, object], names: dict[int, str]
) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(values), encoding="utf-8")
    assert read_label_names(tmp_path / "dataset.json") == names
