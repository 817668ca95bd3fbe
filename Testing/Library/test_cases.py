"""Cases, their roles, the low-data protocol and cases.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.data.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import require_fitting_labels


def labeled_cases(count: int) -> CaseSet:
    names = [f"case_{k:02d}" for k in range(count)]
    cases = [Case(name, Path(f"i/{name}.nii"), Path(f"l/{name}.nii")) for name in names]
    return CaseSet(tuple(cases), {1: "Anterior", 2: "Posterior"}, "MR")


def test_low_data_keeps_the_cases_that_the_protocol_names() -> None:
    cases = labeled_cases(20)
    order = np.random.RandomState(1).permutation(20)
    assert {case.name for case in cases.low_data(5, seed=1).cases} == {
        f"case_{k:02d}" for k in order[:5]
    }


def test_low_data_does_not_depend_on_the_order_of_the_cases() -> None:
    cases = labeled_cases(20)
    turned = CaseSet(cases.cases[::-1], cases.labels, cases.modality)
    assert set(cases.low_data(5, 0).cases) == set(turned.low_data(5, 0).cases)


def test_fewer_labeled_cases_are_part_of_more() -> None:
    cases = labeled_cases(20)
    assert set(cases.low_data(5, 2).cases) < set(cases.low_data(10, 2).cases)


def test_low_data_of_the_hippocampus_leaves_the_test_cases_out(hippocampus: Path) -> None:
    cases = read_cases(hippocampus)
    names = sorted(case.name for case in cases.cases)
    test_names = {names[k] for k in np.random.RandomState(0).permutation(208)[-48:]}
    kept = {case.name for case in cases.low_data(160, seed=0).cases}
    assert len(kept) == 160
    assert not kept & test_names


def test_low_data_keeps_the_unlabeled_cases() -> None:
    unlabeled = Case("new", Path("new.nii"), role=Role.UNLABELED)
    cases = CaseSet((*labeled_cases(4).cases, unlabeled))
    assert unlabeled in cases.low_data(2, 0).cases


@pytest.mark.parametrize("count", [0, 5])
def test_low_data_refuses_more_or_fewer_cases_than_there_are(count: int) -> None:
    with pytest.raises(GenSegError, match="4 are there"):
        labeled_cases(4).low_data(count, 0)


@pytest.mark.parametrize(
    ("count", "share", "held_back"),
    [(10, 0.3, 3), (5, 0.3, 2), (2, 0.3, 1), (2, 0.9, 1), (10, 0.01, 1), (1, 0.3, 0), (9, 0.0, 0)],
)
def test_a_share_is_held_back_for_validation(count: int, share: float, held_back: int) -> None:
    cases = labeled_cases(count).with_validation(share, seed=0)
    assert len(cases.of_role(Role.VALIDATE)) == held_back
    assert len(cases.of_role(Role.TRAIN)) == count - held_back
    assert len(cases.labeled) == count


def test_validation_cases_depend_on_the_seed_alone() -> None:
    cases = labeled_cases(20)
    assert cases.with_validation(0.3, 4) == cases.with_validation(0.3, 4)
    assert cases.with_validation(0.3, 4) != cases.with_validation(0.3, 5)


def test_roles_that_the_user_gave_are_kept() -> None:
    first, second, third = labeled_cases(3).cases
    cases = CaseSet((first, Case(second.name, second.image, second.label, Role.VALIDATE), third))
    assert cases.with_validation(0.6, 0) == cases


def test_without_a_training_case_nothing_can_be_held_back() -> None:
    cases = CaseSet((Case("new", Path("new.nii"), role=Role.UNLABELED),))
    with pytest.raises(GenSegError, match="no case with a label"):
        cases.with_validation(0.3, 0)


def test_a_case_set_survives_json(tmp_path: Path) -> None:
    inside = Case("a", tmp_path / "images" / "a.nii", tmp_path / "labels" / "a.nii", Role.VALIDATE)
    outside = Case("b", Path("/elsewhere/b.nii").absolute(), role=Role.UNLABELED)
    cases = CaseSet((inside, outside), {1: "Leber"}, "CT")
    text = json.dumps(cases.to_json(tmp_path))
    assert CaseSet.from_json(json.loads(text), tmp_path) == cases


def test_paths_inside_the_base_move_with_it(tmp_path: Path) -> None:
    values = CaseSet((Case("a", tmp_path / "x" / "a.nii", tmp_path / "x" / "l.nii"),)).to_json(
        tmp_path
    )
    moved = CaseSet.from_json(values, Path("/server"))
    assert moved.cases[0].image == Path("/server/x/a.nii")


def test_two_cases_of_one_name_are_refused() -> None:
    with pytest.raises(GenSegError, match="several cases are named a"):
        CaseSet((Case("a", Path("1.nii")), Case("a", Path("2.nii"))))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\nb"])
def test_a_case_name_that_cannot_be_a_file_name_is_refused(name: str) -> None:
    with pytest.raises(GenSegError, match="file name"):
        Case(name, Path("a.nii"))


@pytest.mark.parametrize("value", [0, -1, 40000])
def test_a_label_value_that_cannot_be_stored_is_refused(value: int) -> None:
    with pytest.raises(GenSegError, match=r"outside 1\.\.32767"):
        CaseSet((), {value: "Liver"})


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, 'no list "cases"'),
        ({"cases": [7]}, "not an object"),
        ({"cases": [{"name": "a"}]}, 'lacks its "name" or its "image"'),
        ({"cases": [{"name": "a", "image": "a.nii", "label": 3}]}, "not a path"),
        ({"cases": [{"name": "a", "image": "a.nii", "role": "test"}]}, "none of train"),
        ({"cases": [{"name": "a", "image": "a.nii", "role": "train"}]}, "there is no label"),
        ({"cases": [], "labels": ["Liver"]}, '"labels" is not an object'),
        ({"cases": [], "labels": {"liver": 1}}, "not a whole number"),
        ({"cases": [], "modality": "US"}, "modality"),
        ({"cases": [], "modality": 1}, "not a text"),
    ],
)
def test_what_is_wrong_in_a_list_of_cases_is_said(values: dict, fault: str) -> None:
    with pytest.raises(GenSegError, match=fault):
        CaseSet.from_json(values, Path())


def test_a_listed_image_without_a_label_is_unlabeled() -> None:
    cases = CaseSet.from_json({"cases": [{"name": "a", "image": "a.nii"}]}, Path())
    assert cases.cases[0].role is Role.UNLABELED


@pytest.mark.parametrize(
    "found", [{}, {1: "anterior ", 2: "POSTERIOR"}, {1: "Head", 2: "Body and tail"}]
)
def test_label_maps_of_equal_values_fit(found: dict[int, str]) -> None:
    require_fitting_labels(found, {1: "Anterior", 2: "Posterior"})


@pytest.mark.parametrize("found", [{1: "Anterior"}, {1: "Posterior", 2: "Anterior"}, {5: "Liver"}])
def test_other_values_or_swapped_names_do_not_fit(found: dict[int, str]) -> None:
    with pytest.raises(GenSegError, match="expects 1 Anterior, 2 Posterior"):
        require_fitting_labels(found, {1: "Anterior", 2: "Posterior"})


LIVER = {1: "Liver", 2: "Lesion"}


@pytest.mark.parametrize("found", [{1: "liver"}, {1: "liver", 2: "cancer"}])
def test_an_optional_label_may_be_missing(found: dict[int, str]) -> None:
    require_fitting_labels(found, LIVER, optional=[2])


@pytest.mark.parametrize("found", [{2: "cancer"}, {1: "Lesion"}, {1: "liver", 3: "vessel"}])
def test_what_is_not_optional_may_not(found: dict[int, str]) -> None:
    with pytest.raises(GenSegError, match="expects 1 Liver, 2 Lesion"):
        require_fitting_labels(found, LIVER, optional=[2])
