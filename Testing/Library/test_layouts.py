"""Folders of cases: layouts of the Decathlon and nnU-Net, names of images and labels, channels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from case_folders import DECATHLON, NNUNET, names_of, touch, write_dataset

from GenSegLib.cases import Role
from GenSegLib.datasets.layouts import (
    list_images,
    list_labels,
    read_cases,
    read_pair_folders,
    with_unlabeled,
)
from GenSegLib.datasets.pairing import pair_names
from GenSegLib.dicom.files import is_dicom_folder
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import (
    distinct_stems,
    image_stem,
    is_image_file,
)
from Testing.dicom_files import write_ct


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


NUMBERED = [f"liver_{k:04}" for k in (1, 2, 3)]


def test_names_that_end_in_four_digits_are_cases(tmp_path: Path) -> None:
    """As in AMOS, WORD and FLARE: nothing here is a channel, the labels have the same names."""
    for part in ("images", "labels"):
        touch(tmp_path / part, *(f"{name}.nii.gz" for name in NUMBERED))
    assert names_of(read_cases(tmp_path)) == NUMBERED


def test_channel_numbers_of_nnunet_follow_names_that_end_in_four_digits(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET)
    touch(tmp_path / "imagesTr", *(f"{name}_0000.nii.gz" for name in NUMBERED))
    touch(tmp_path / "labelsTr", *(f"{name}.nii.gz" for name in NUMBERED))
    assert names_of(read_cases(tmp_path)) == NUMBERED


@pytest.mark.parametrize(
    ("images", "labels", "cases"),
    [
        (["a_0000", "a_0001"], ["a"], {"a": ["a_0000", "a_0001"]}),
        (["a_0000", "a_0001"], ["a_0000", "a_0001"], {"a_0000": ["a_0000"], "a_0001": ["a_0001"]}),
        (["a", "a_0001"], ["a", "a_0001"], {"a": ["a"], "a_0001": ["a_0001"]}),
        (["amos_0010"], ["amos_0020"], {"amos_0010": ["amos_0010"]}),
        (["a_0000"], [], {"a_0000": ["a_0000"]}),
        (["a_00001"], ["a"], {"a_00001": ["a_00001"]}),
    ],
)
def test_a_channel_number_is_one_only_where_the_shortened_name_has_a_label(
    images: list[str], labels: list[str], cases: dict[str, list[str]]
) -> None:
    assert pair_names(images, labels) == cases


def test_image_and_label_of_different_patients_are_not_paired(tmp_path: Path) -> None:
    touch(tmp_path / "images", "b_1.nii.gz", "amos_0010.nii.gz")
    touch(tmp_path / "labels", "b_1.nii.gz", "amos_0020.nii.gz")
    message = r"labels.amos_0020\.nii\.gz: no image of the same name .*rename or remove the label"
    with pytest.raises(GenSegError, match=message):
        read_cases(tmp_path)
    (tmp_path / "labels" / "amos_0020.nii.gz").unlink()
    cases = read_cases(tmp_path)
    assert names_of(cases) == ["b_1"]
    assert [case.name for case in cases.of_role(Role.UNLABELED)] == ["amos_0010"]


@pytest.mark.parametrize("inner", ["c1.nii.gz", "c1.nii", "export.nii"])
def test_a_folder_with_the_name_of_an_image_is_the_image_in_it(tmp_path: Path, inner: str) -> None:
    """Browsers and archive programs unpack images so."""
    touch(tmp_path / "images" / "c1.nii.gz", inner, "notes.txt")
    touch(tmp_path / "images", "c2.nii.gz")
    touch(tmp_path / "labels", "c1.nii.gz", "c2.nii.gz")
    first, second = read_cases(tmp_path).cases
    assert (first.name, second.name) == ("c1", "c2")
    assert first.image == tmp_path / "images" / "c1.nii.gz" / inner
    assert list_images(tmp_path / "images" / "c1.nii.gz") == [first.image]
    entry = {"name": "c1", "image": "images/c1.nii.gz", "label": "labels/c1.nii.gz"}
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [entry]}))
    assert read_cases(tmp_path).cases[0].image == first.image


def test_the_channels_of_nnunet_are_images_of_one_case(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET | {"channel_names": {"0": "T1", "1": "T2"}})
    images = tmp_path / "imagesTr"
    touch(images, *(f"{case}_000{k}.nii.gz" for case in "ab" for k in (1, 0)))
    touch(tmp_path / "labelsTr", "a.nii.gz", "b.nii.gz")
    cases = read_cases(tmp_path)
    assert cases.modality == "MR"
    assert [(case.name, case.images) for case in cases.cases] == [
        (name, (images / f"{name}_0000.nii.gz", images / f"{name}_0001.nii.gz")) for name in "ab"
    ]


def test_unlabeled_cases_have_the_channels_of_the_labeled_ones(tmp_path: Path) -> None:
    touch(tmp_path / "images", *(f"{case}_000{k}.nii.gz" for case in "ab" for k in (0, 1)))
    touch(tmp_path / "labels", "a.nii.gz")
    a, b = read_cases(tmp_path).cases
    assert (a.name, len(a.images), a.role) == ("a", 2, Role.TRAIN)
    assert (b.name, len(b.images), b.role) == ("b", 2, Role.UNLABELED)


def test_pictures_beside_unlabeled_volumes_are_said_to_be_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "images", "a.nii.gz")
    touch(tmp_path / "labels", "a.nii.gz")
    touch(tmp_path / "more", "b.nii.gz", "photo.png")
    cases = with_unlabeled(read_cases(tmp_path), tmp_path / "more")
    assert [case.name for case in cases.cases] == ["a", "b"]
    assert "photo.png skipped, because the folder contains volumes" in cases.notes[-1]


def test_photos_in_heic_are_named_with_the_remedy(tmp_path: Path) -> None:
    touch(tmp_path / "images", "a.jpg", "b.HEIC")
    touch(tmp_path / "labels", "a.png")
    remedy = f"{tmp_path / 'images' / 'b.HEIC'}: HEIC is not supported; convert the images to JPEG"
    assert remedy in read_cases(tmp_path).notes[-1]
    assert remedy in with_unlabeled(read_cases(tmp_path), tmp_path / "images").notes[-1]


@pytest.mark.parametrize("others", [(), ("a.jpg",)])
def test_a_mask_of_a_photo_in_heic_is_an_error_with_the_remedy(
    tmp_path: Path, others: tuple[str, ...]
) -> None:
    touch(tmp_path / "images", "b.heic", *others)
    touch(tmp_path / "labels", "b.png", "a.png")
    with pytest.raises(GenSegError, match=r"b\.heic: HEIC is not supported; convert"):
        read_cases(tmp_path)


def test_a_folder_of_photos_in_heic_has_no_images(tmp_path: Path) -> None:
    touch(tmp_path, "a.heic", "b.heic")
    with pytest.raises(GenSegError, match=r"a\.heic \(and 1 more\): HEIC is not supported"):
        list_images(tmp_path)


def test_a_missing_channel_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET | {"channel_names": {"0": "T1", "1": "T2"}})
    touch(tmp_path / "imagesTr", "a_0000.nii.gz", "a_0001.nii.gz", "b_0000.nii.gz")
    touch(tmp_path / "labelsTr", "a.nii.gz", "b.nii.gz")
    with pytest.raises(GenSegError, match=r"case b lacks channel 1 \(T2\), the file b_0001"):
        read_cases(tmp_path)


def test_more_channels_than_the_data_set_names_are_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, NNUNET)
    touch(tmp_path / "imagesTr", "a_0000.nii.gz", "a_0001.nii.gz")
    touch(tmp_path / "labelsTr", "a.nii.gz")
    with pytest.raises(GenSegError, match=r"case a has 2 channels .*, but 1 is expected"):
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


def test_a_series_in_nested_folders_belongs_to_the_case_of_the_outer_one(
    tmp_path: Path, abdomen: Path
) -> None:
    """As copied from a CD: `images/anna/DICOM/SER1` with the label `labels/anna.nii.gz`."""
    for patient in ("anna", "bert"):
        write_ct(tmp_path / "images" / patient / "DICOM" / "SER1", abdomen / "dicom_ct3", [0, 2])
        touch(tmp_path / "labels", f"{patient}.nii.gz")
    cases = read_cases(tmp_path).cases
    assert [case.name for case in cases] == ["anna", "bert"]
    series = [tmp_path / "images" / name / "DICOM" / "SER1" for name in ("anna", "bert")]
    assert [case.image for case in cases] == series
    assert list_images(tmp_path / "images") == series
    assert list_images(tmp_path / "images" / "anna") == series[:1]
    assert distinct_stems(series) == ["anna_DICOM_SER1", "bert_DICOM_SER1"]
    assert distinct_stems(series[:1]) == ["SER1"]
