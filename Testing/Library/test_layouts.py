"""Folder layouts and lists of cases, and errors in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unicodedata import normalize

import pytest

from GenSegLib.cases import CaseSet, Role
from GenSegLib.data.layouts import (
    list_images,
    list_labels,
    read_cases,
    read_label_list,
    read_pair_folders,
)
from GenSegLib.data.pairing import pair_names
from GenSegLib.dicom.files import is_dicom_folder
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import (
    distinct_stems,
    image_stem,
    is_image_file,
    valid_file_name,
)
from Testing.dicom_files import write_ct


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


def names_of(cases: CaseSet) -> list[str]:
    return [case.name for case in cases.labeled]


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


def data_set(folder: Path, values: object, images: str, labels: str, *names: str) -> Path:
    """Files of a data set; `images` and `labels` are patterns of their paths."""
    for name in names:
        for pattern in (images, labels):
            path = folder / pattern.format(name)
            touch(path.parent, path.name)
    return write_dataset(folder, values)


def decathlon_list(*pairs: tuple[object, object], **more: object) -> dict[str, object]:
    entries = [{"image": image, "label": label} for image, label in pairs]
    return {"labels": {"0": "background", "1": "x"}, "training": entries, **more}


ORDINARY = ("imagesTr/{}.nii.gz", "labelsTr/{}.nii.gz")
WITH_CHANNEL = ("imagesTr/{}_0000.nii.gz", "labelsTr/{}.nii.gz")


@pytest.mark.parametrize(
    ("values", "patterns"),
    [
        pytest.param(
            decathlon_list(("./imagesTr/c1.nii.gz", "./labelsTr/c1.nii.gz")),
            WITH_CHANNEL,
            id="nnU-Net v1 lists files without the channel number that they have",
        ),
        pytest.param(
            decathlon_list(("imagesTr/c1_0000.nii.gz", "labelsTr/c1.nii.gz")),
            WITH_CHANNEL,
            id="channel number in the list as well",
        ),
        pytest.param(
            NNUNET | decathlon_list(("imagesTr/c1.nii.gz", "labelsTr/c1.nii.gz")),
            WITH_CHANNEL,
            id="nnU-Net v2 with a list that was left over",
        ),
        pytest.param(
            decathlon_list((".\\imagesTr\\c1.nii.gz", ".\\labelsTr\\c1.nii.gz")),
            ORDINARY,
            id="backslashes",
        ),
        pytest.param(
            decathlon_list((r"D:\data\x\imagesTr\c1.nii.gz", r"D:\data\x\labelsTr\c1.nii.gz")),
            ORDINARY,
            id="absolute paths of a computer with Windows",
        ),
        pytest.param(
            decathlon_list(("/mnt/x/imagesTr/c1.nii.gz", "/mnt/x/labelsTr/c1.nii.gz")),
            ORDINARY,
            id="absolute paths of another computer",
        ),
        pytest.param(
            decathlon_list((["imagesTr/c1.nii.gz"], ["labelsTr/c1.nii.gz"]), testing=[]),
            ORDINARY,
            id="MONAI's lists of one path",
        ),
        pytest.param(
            decathlon_list(("imagesTr/c1.nii", "labelsTr/c1.nii")),
            ORDINARY,
            id="files that were compressed since",
        ),
        pytest.param(
            NNUNET | {"dataset": {"c1": {"images": ["s/c1.nii.gz"], "label": "m/c1.nii.gz"}}},
            ("s/{}.nii.gz", "m/{}.nii.gz"),
            id="explicit files of nnU-Net v2",
        ),
        pytest.param(
            {"cases": [{"name": "c1", "image": "i\\c1.nii.gz", "label": "l\\c1.nii.gz"}]},
            ("i/{}.nii.gz", "l/{}.nii.gz"),
            id="backslashes in our own list",
        ),
    ],
)
def test_lists_of_other_programs_are_read_as_they_were_meant(
    tmp_path: Path, values: dict[str, object], patterns: tuple[str, str]
) -> None:
    (case,) = read_cases(data_set(tmp_path, values, *patterns, "c1")).cases
    assert case.name == "c1"
    files = tuple(tmp_path / pattern.format("c1") for pattern in patterns)
    assert (case.image, case.label) == files


def test_names_and_values_of_labels_may_be_in_either_order(tmp_path: Path) -> None:
    values = decathlon_list(("imagesTr/a.nii.gz", "labelsTr/a.nii.gz"))
    for labels in ({"background": 0, "x": 1}, {"0": "background", "1": "x"}):
        assert read_cases(write_dataset(tmp_path, values | {"labels": labels})).labels == {1: "x"}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_list_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    touch(tmp_path / "imagesTr", "c1_0000.nii.gz")
    touch(tmp_path / "labelsTr", "c1.nii.gz")
    text = json.dumps(NNUNET, indent=1).replace("\n", "\r\n")
    (tmp_path / "dataset.json").write_bytes(text.encode(encoding))
    assert names_of(read_cases(tmp_path)) == ["c1"]


def test_names_may_be_in_either_form_of_unicode(tmp_path: Path) -> None:
    """macOS decomposes letters such as ä, and archives keep that."""
    composed, decomposed = (normalize(form, "Schädel_1") for form in ("NFC", "NFD"))
    touch(tmp_path / "images", f"{decomposed}.nii.gz")
    touch(tmp_path / "labels", f"{composed}.nii.gz")
    assert names_of(read_cases(tmp_path)) == [composed]
    pair = (f"images/{composed}.nii.gz", f"labels/{composed}.nii.gz")
    write_dataset(tmp_path, decathlon_list(pair))
    assert read_cases(tmp_path).cases[0].image == tmp_path / "images" / f"{decomposed}.nii.gz"


def test_equal_file_names_in_folders_of_patients_are_told_apart(tmp_path: Path) -> None:
    pairs = [(f"{patient}/ct.nii.gz", f"{patient}/seg.nii.gz") for patient in ("p1", "p2")]
    assert names_of(read_cases(write_dataset(tmp_path, decathlon_list(*pairs)))) == [
        "p1_ct",
        "p2_ct",
    ]


def test_the_validation_cases_of_monai_are_for_validation(tmp_path: Path) -> None:
    values = decathlon_list(("a.nii.gz", "a_l.nii.gz"))
    values["validation"] = [{"image": "b.nii.gz", "label": "b_l.nii.gz"}, {"image": "c.nii.gz"}]
    cases = read_cases(write_dataset(tmp_path, values))
    assert [(case.name, case.role.value) for case in cases.cases] == [
        ("a", "train"),
        ("b", "validate"),
    ]


def test_several_images_in_a_list_are_channels(tmp_path: Path) -> None:
    values = decathlon_list((["a_t1.nii.gz", "a_t2.nii.gz"], "a.nii.gz"))
    (case,) = read_cases(write_dataset(tmp_path, values)).cases
    assert case.images == (tmp_path / "a_t1.nii.gz", tmp_path / "a_t2.nii.gz")


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


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("a:b", "a_b"),
        ('q"<1>|*?', "q__1____"),
        ("con", "_con"),
        ("AUX.1", "_AUX.1"),
        ("tail. ", "tail"),
        ("a/b\\c", "a_b_c"),
        ("...", "_"),
        ("Läufe 海馬", "Läufe 海馬"),
        ("console", "console"),
    ],
)
def test_case_names_are_file_names_on_windows_as_well(
    tmp_path: Path, name: str, valid: str
) -> None:
    assert valid_file_name(name) == valid
    entry = {"name": name, "image": "a.nii.gz"}
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [entry]}))
    assert read_cases(tmp_path).cases[0].name == valid


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


def test_our_own_list_has_one_or_several_images_a_case(tmp_path: Path) -> None:
    entries = [{"name": "a", "image": ["t1.nii", "t2.nii"]}, {"name": "b", "image": "b.nii"}]
    (tmp_path / "cases.json").write_text(json.dumps({"cases": entries}))
    cases = read_cases(tmp_path)
    assert [case.images for case in cases.cases] == [
        (tmp_path / "t1.nii", tmp_path / "t2.nii"),
        (tmp_path / "b.nii",),
    ]
    assert CaseSet.from_json(cases.to_json(tmp_path), tmp_path) == cases


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"a": [1, 2], "b": [2, 3]}, "neither is within the other"),
        ({"both": [1, 2], "left": 1, "right": 2}, "has no value that is not in a region within"),
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
        ({"labels": {"Liver": [1, 2]}}, {1: "Liver"}),
    ],
)
def test_label_names_are_read_even_if_the_cases_are_not_supported(
    tmp_path: Path, values: dict[str, object], names: dict[int, str]
) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(values), encoding="utf-8")
    assert read_label_list(tmp_path / "dataset.json").labels == names


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
