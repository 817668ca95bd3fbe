"""Persons of cases: from lists, tables, DICOM headers and names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.datasets.layouts import read_cases, read_pair_folders, with_unlabeled
from GenSegLib.datasets.person_names import persons_from_names
from GenSegLib.datasets.persons import assume_persons, find_divided_persons, pseudonyms
from GenSegLib.errors import GenSegError
from Testing.volume_files import write_patient_series


@pytest.mark.parametrize(
    ("first", "second", "other", "person"),
    [
        ("patient054_frame01", "patient054_frame12", "patient055_frame01", "patient054"),
        ("anna_left", "anna_right", "bert_left", "anna"),
        ("oasis_01_L", "oasis_01_R", "oasis_02_L", "oasis_01"),
        ("p12L", "p12R", "p13L", "p12"),
        ("p1_visit1", "p1_visit2", "p2_visit1", "p1"),
        ("anna-pre", "anna-post", "bert-pre", "anna"),
        ("case_001_slice_17", "case_001_slice_18", "case_002_slice_17", "case_001"),
        ("Patient_1_ED", "Patient_1_ES", "Patient_10_ED", "Patient_1"),
        ("sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "sub-02_ses-1_T1w", "sub-01"),
        ("P01-20200101", "P01-20210315", "P02-20200101", "P01"),
        ("BraTS-GLI-00000-000", "BraTS-GLI-00000-001", "BraTS-GLI-00003-000", "BraTS_GLI_00000"),
        ("s01_t0", "s01_t1", "s02_t0", "s01"),
        ("subject3_0001", "subject3_0002", "subject4_0001", "subject3"),
    ],
)
def test_names_share_a_person(first: str, second: str, other: str, person: str) -> None:
    assert persons_from_names([first, second, other]) == {first: person, second: person}


@pytest.mark.parametrize(
    "names",
    [
        ["liver_0001", "liver_0002"],
        ["case_1", "case_2"],
        ["brain_scan_1", "brain_scan_2"],
        ["frame_001", "frame_002"],
        ["left", "right"],
        ["BraTS20_Training_001", "BraTS20_Training_002"],
        ["TCGA-02-0006", "TCGA-02-0009", "TCGA-04-0009"],
        ["site1_003", "site1_004", "site2_001"],
        ["chaos_t2_01", "chaos_t2_15"],
        ["generated_0000", "generated_0001"],
        ["benign_1", "benign_105"],
    ],
)
def test_numbered_names_are_persons_of_their_own(names: list[str]) -> None:
    assert persons_from_names(names) == {}


def empty_files(folder: Path, *names: str) -> Path:
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
        for name in names:
            (folder / part / f"{name}.nii.gz").touch()
    return folder


def persons(cases: CaseSet) -> dict[str, str]:
    return {case.name: case.person for case in cases.cases}


PHASES = ("patient001_frame01", "patient001_frame02", "patient002_frame01")


def test_persons_from_names_are_reported(tmp_path: Path) -> None:
    cases = read_cases(empty_files(tmp_path, *PHASES))
    assert persons(cases) == dict(zip(PHASES, ("patient001", "patient001", "")))
    (note,) = cases.notes
    assert note.startswith("3 cases show 2 persons according to the names of the cases")
    assert "patient001_frame01 and patient001_frame02 show patient001" in note
    assert "groups.csv" in note


@pytest.mark.parametrize(
    "table",
    [
        "case,person\na,anna\nb,anna\nc,carl\n",
        "\ufeffimage;group\r\na.nii.gz;anna\r\nb.nii.gz;anna\r\nc.nii.gz;carl\r\n",
        "Subject ID\tFile\nanna\timages/a.nii.gz\nanna\timages/b.nii.gz\ncarl\timages/c.nii.gz\n",
        "set,image,group\nother,a,x\ndata,a,anna\ndata,b,anna\ndata,c,carl\n",
    ],
)
@pytest.mark.parametrize("place", ["data", "."])
def test_a_table_of_groups_in_the_folder_or_next_to_it(
    tmp_path: Path, table: str, place: str
) -> None:
    data = empty_files(tmp_path / "data", "a", "b", "c")
    (tmp_path / place / "groups.csv").write_bytes(table.encode())
    found = {"a": "anna", "b": "anna", "c": "carl"}
    assert persons(read_cases(data)) == found
    if place == "data":
        (data / "images" / "groups.csv").write_bytes(table.encode())
        assert persons(read_pair_folders(data / "images", data / "labels"))["a"] == "anna"


def test_cases_missing_in_the_table_are_reported(tmp_path: Path) -> None:
    data = empty_files(tmp_path, "a", "b")
    (data / "groups.csv").write_text("case,person\na,anna\n")
    assert read_cases(data).notes == ("groups.csv has no row for 1 of 2 cases (b)",)


def test_a_table_without_the_columns_is_refused(tmp_path: Path) -> None:
    data = empty_files(tmp_path, "a")
    (data / "groups.csv").write_text("a,anna\nb,anna\n")
    with pytest.raises(GenSegError, match=r"groups\.csv: the first row must name the columns"):
        read_cases(data)
    (data / "groups.csv").write_bytes(b"case,person\n\xff\xfe")
    with pytest.raises(GenSegError, match=r"groups\.csv cannot be read .* save it as UTF-8 text"):
        read_cases(data)


@pytest.mark.parametrize("folders", [("sub-01", "sub-02"), ("patient_1", "patient_2")])
def test_images_in_the_folder_of_a_person_show_this_person(
    tmp_path: Path, folders: tuple[str, str]
) -> None:
    names = ("before", "after", "later")
    places = (folders[0], folders[0], folders[1])
    entries = [
        {"image": f"{place}/{name}.nii", "label": f"{place}/{name}_l.nii"}
        for place, name in zip(places, names)
    ]
    (tmp_path / "dataset.json").write_text(json.dumps({"training": entries}))
    assert list(persons(read_cases(tmp_path)).values()) == [folders[0], folders[0], ""]


def test_a_list_of_cases_takes_precedence(tmp_path: Path) -> None:
    entries = [
        {"name": name, "image": f"{name}.nii", "label": f"{name}_l.nii", "subject": subject}
        for name, subject in zip(PHASES, ("x", "y", "x"))
    ]
    (tmp_path / "cases.json").write_text(json.dumps({"cases": entries}))
    assert list(persons(read_cases(tmp_path)).values()) == ["x", "y", "x"]


def test_series_with_one_patient_id_show_one_person_under_a_pseudonym(tmp_path: Path) -> None:
    """The ID itself must not get into runs and reports."""
    for name, patient_id in (("a", "X-4711"), ("b", "X-4711"), ("c", "Y-1"), ("d", "ANONYMOUS")):
        write_patient_series(tmp_path / "images" / name, patient_id)
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.nii.gz").touch()
    cases = read_cases(tmp_path)
    assert persons(cases) == {"a": "patient 1", "b": "patient 1", "c": "", "d": ""}
    assert "DICOM patient ID" in cases.notes[0]
    assert "4711" not in json.dumps(cases.to_json())


@pytest.mark.parametrize("given", [False, True], ids=["in files", "of the scene"])
def test_unlabeled_scans_of_a_labeled_patient_show_this_person(tmp_path: Path, given: bool) -> None:
    """Whatever their names are; other patients get pseudonyms of their own."""
    for name, patient_id in (("scans/s", "X-4711"), ("scans/t", "Z"), ("scans/u", "Z")):
        write_patient_series(tmp_path / name, patient_id)
    images = {"a": Path("a.nrrd"), "b": Path("b.nrrd"), "c": Path("c.nrrd")}
    if not given:
        write_patient_series(tmp_path / "a", "X-4711")
        images["a"] = tmp_path / "a"
    listed = ("", "patient 1", "patient 1")
    labeled = CaseSet(
        tuple(Case(n, images[n], Path("l.nii"), Role.VALIDATE, p) for n, p in zip("abc", listed))
    )
    ids = {"a": "x-4711", "b": "", "c": ""} if given else None
    found = persons(with_unlabeled(labeled, tmp_path / "scans", ids))
    assert found["s"] == "a"
    assert found["t"] == found["u"] == "patient 3"


def test_unlabeled_scans_named_like_a_labeled_case_show_its_person(tmp_path: Path) -> None:
    for name in ("patient7_visit2", "patient8_visit1"):
        (tmp_path / f"{name}.nii.gz").touch()
    labeled = CaseSet((Case("patient7_visit1", Path("i.nii"), Path("l.nii"), Role.VALIDATE),))
    found = persons(with_unlabeled(labeled, tmp_path))
    assert found["patient7_visit2"] == "patient7_visit1"
    assert found["patient8_visit1"] == ""


def test_empty_and_placeholder_ids_are_no_persons() -> None:
    ids = {"a": "7 ", "b": "", "c": "0000", "d": "anonymous", "e": "7"}
    assert pseudonyms(ids) == {"a": "patient 1", "e": "patient 1"}


def test_a_person_whom_the_user_gave_two_roles_is_a_warning() -> None:
    roles = (Role.TRAIN, Role.VALIDATE, Role.TRAIN)
    cases = [
        Case(name, Path("i.nii"), Path("l.nii"), role, person)
        for name, role, person in zip("abc", roles, ("anna", "anna", "carl"))
    ]
    (warning,) = find_divided_persons(cases)
    assert warning.startswith("anna appears in training case a and in validation case b")


def test_phases_of_one_heart_are_on_one_side(write_tiny_cases: Callable[..., Path]) -> None:
    root = write_tiny_cases(6)
    for part in ("images", "labels"):
        for k in range(6):
            name = f"patient{k // 2:03}_frame{k % 2 + 1:02}.nii.gz"
            (root / part / f"case_{k}.nii.gz").rename(root / part / name)
    cases = read_cases(root).with_validation(0.3, 0)
    people = [{case.person for case in cases.of_role(role)} for role in (Role.TRAIN, Role.VALIDATE)]
    assert [len(each) for each in people] == [2, 1]
    assert not set.intersection(*people)


def test_different_patient_ids_are_different_persons_whatever_the_names() -> None:
    ids = pseudonyms({"p1_visit1": "A", "p1_visit2": "B", "x": "C", "y": "C"})
    names = dict.fromkeys(("p1_visit1", "p1_visit2"), "p1") | dict.fromkeys(
        ("q_pre", "q_post"), "q"
    )
    assert assume_persons(ids, names) == {
        **{"q_pre": "q", "q_post": "q"},
        **{"x": "patient 3", "y": "patient 3"},
    }
