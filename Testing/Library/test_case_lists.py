"""Lists of cases as the Decathlon, nnU-Net, MONAI and GenSeg write them, on any computer."""

from __future__ import annotations

import json
from pathlib import Path
from unicodedata import normalize

import pytest
from case_folders import DECATHLON, NNUNET, names_of, touch, write_dataset

from GenSegLib.cases import CaseSet, Role
from GenSegLib.datasets.layouts import (
    read_cases,
    read_label_list,
)
from GenSegLib.errors import GenSegError
from GenSegLib.images.file_names import (
    valid_file_name,
)


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


def test_equal_file_names_in_folders_of_patients_are_distinguished(tmp_path: Path) -> None:
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


def test_a_misspelled_key_of_a_case_is_named(tmp_path: Path) -> None:
    entry = {"name": "a", "image": "a.nrrd", "label": "b.nrrd", "only_slice": "axial", "age": 40}
    (tmp_path / "cases.json").write_text(json.dumps({"cases": [entry], "labels": {"1": "x"}}))
    (note,) = read_cases(tmp_path).notes
    assert 'the key "only_slice" of a case is not known' in note
    assert 'did you mean "only_slices"?' in note
