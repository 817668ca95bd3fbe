"""Cases, their roles, subsets, JSON and label maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import require_compatible_labels

LIVER = {1: "Liver", 2: "Lesion"}


def labeled_cases(count: int) -> CaseSet:
    names = [f"case_{k:02d}" for k in range(count)]
    cases = [Case(name, Path(f"i/{name}.nii"), Path(f"l/{name}.nii")) for name in names]
    return CaseSet(tuple(cases), {1: "Anterior", 2: "Posterior"}, "MR")


def test_a_subset_is_the_start_of_a_seeded_permutation() -> None:
    order = np.random.RandomState(1).permutation(20)
    found = {case.name for case in labeled_cases(20).subset(5, seed=1).cases}
    assert found == {f"case_{k:02d}" for k in order[:5]}


def test_a_subset_does_not_depend_on_the_order_of_the_cases() -> None:
    cases = labeled_cases(20)
    reversed_cases = CaseSet(cases.cases[::-1], cases.labels, cases.modality)
    assert set(cases.subset(5, 0).cases) == set(reversed_cases.subset(5, 0).cases)


def test_smaller_subsets_are_part_of_larger_ones() -> None:
    cases = labeled_cases(20)
    assert set(cases.subset(5, 2).cases) < set(cases.subset(10, 2).cases)


def test_a_subset_keeps_unlabeled_cases() -> None:
    unlabeled = Case("new", Path("new.nii"), role=Role.UNLABELED)
    assert unlabeled in CaseSet((*labeled_cases(4).cases, unlabeled)).subset(2, 0).cases


@pytest.mark.parametrize("count", [0, 5])
def test_a_subset_of_an_impossible_size_is_refused(count: int) -> None:
    with pytest.raises(GenSegError, match="there are 4; request 1 to 4"):
        labeled_cases(4).subset(count, 0)


@pytest.mark.parametrize(
    ("count", "fraction", "validation"),
    [(10, 0.3, 3), (2, 0.3, 1), (2, 0.9, 1), (10, 0.01, 1), (1, 0.3, 0), (9, 0.0, 0)],
)
def test_a_fraction_of_the_cases_is_for_validation(
    count: int, fraction: float, validation: int
) -> None:
    cases = labeled_cases(count).with_validation(fraction, seed=0)
    assert len(cases.of_role(Role.VALIDATE)) == validation
    assert len(cases.of_role(Role.TRAIN)) == count - validation


def test_validation_cases_depend_only_on_the_seed() -> None:
    cases = labeled_cases(20)
    assert cases.with_validation(0.3, 4) == cases.with_validation(0.3, 4)
    assert cases.with_validation(0.3, 4) != cases.with_validation(0.3, 5)


def test_validation_cases_chosen_by_the_user_are_kept() -> None:
    first, second, third = labeled_cases(3).cases
    cases = CaseSet((first, Case(second.name, second.image, second.label, Role.VALIDATE), third))
    assert cases.with_validation(0.6, 0) == cases


def test_validation_requires_labeled_cases() -> None:
    cases = CaseSet((Case("new", Path("new.nii"), role=Role.UNLABELED),))
    with pytest.raises(GenSegError, match="no labeled cases to train on"):
        cases.with_validation(0.3, 0)


def test_case_sets_round_trip_through_json(tmp_path: Path) -> None:
    inside = Case("a", tmp_path / "images" / "a.nii", tmp_path / "labels" / "a.nii", Role.VALIDATE)
    outside = Case("b", Path("/elsewhere/b.nii").absolute(), role=Role.UNLABELED)
    cases = CaseSet((inside, outside), {1: "Leber"}, "CT")
    values = json.loads(json.dumps(cases.to_json(tmp_path)))
    assert CaseSet.from_json(values, tmp_path) == cases
    elsewhere = CaseSet.from_json(values, Path("/server"))
    assert elsewhere.cases[0].image == Path("/server/images/a.nii"), "relative to the list"


@pytest.mark.parametrize("other", ["a", "A"])
def test_case_names_are_unique_without_regard_to_case(other: str) -> None:
    with pytest.raises(GenSegError, match="several cases are named a"):
        CaseSet((Case("a", Path("1.nii")), Case(other, Path("2.nii"))))


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\\b", "a\nb"])
def test_case_names_must_be_file_names(name: str) -> None:
    with pytest.raises(GenSegError, match="file name"):
        Case(name, Path("a.nii"))


@pytest.mark.parametrize("value", [0, 40000])
def test_label_values_must_fit_16_bits(value: int) -> None:
    with pytest.raises(GenSegError, match=r"outside 1\.\.32767"):
        CaseSet((), {value: "Liver"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, '"cases" must be a list'),
        ({"cases": [7]}, "not an object"),
        ({"cases": [{"name": "a"}]}, 'lacks "name" or "image"'),
        ({"cases": [{"name": "a", "image": "a.nii", "label": 3}]}, "must be a path"),
        ({"cases": [{"name": "a", "image": "a.nii", "role": "test"}]}, "must be one of train"),
        ({"cases": [{"name": "a", "image": "a.nii", "role": "train"}]}, "there is no label"),
        ({"cases": [], "labels": ["Liver"]}, '"labels" must be an object'),
        ({"cases": [], "labels": {"liver": 1}}, "must be integers"),
        ({"cases": [], "modality": "US"}, "modality"),
        ({"cases": [], "modality": 1}, "must be a text"),
    ],
)
def test_errors_in_a_list_of_cases_are_explained(values: dict, message: str) -> None:
    with pytest.raises(GenSegError, match=message):
        CaseSet.from_json(values, Path())


def test_a_listed_image_without_a_label_is_unlabeled() -> None:
    cases = CaseSet.from_json({"cases": [{"name": "a", "image": "a.nii"}]}, Path())
    assert cases.cases[0].role is Role.UNLABELED


@pytest.mark.parametrize(
    "found", [{}, {1: "liver ", 2: "LESION"}, {1: "Hepar", 2: "Tumor"}, {1: "liver"}]
)
def test_label_maps_fit_by_value_except_for_optional_labels(found: dict[int, str]) -> None:
    require_compatible_labels(found, LIVER, optional=[2])


@pytest.mark.parametrize(
    "found", [{2: "cancer"}, {1: "Lesion"}, {1: "Lesion", 2: "Liver"}, {1: "liver", 3: "vessel"}]
)
def test_other_values_and_swapped_names_do_not_fit(found: dict[int, str]) -> None:
    with pytest.raises(GenSegError, match="expects 1 Liver, 2 Lesion"):
        require_compatible_labels(found, LIVER, optional=[2])
