"""Cases, their persons and roles, subsets and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from GenSegLib.case_annotation import COMPLETE, Annotation, ClassState
from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.errors import GenSegError


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


def cases_of_persons(*counts: int) -> CaseSet:
    """Labeled cases of persons p0, p1, ..., with a number of cases each."""
    cases = [
        Case(f"{k}_{n}", Path(f"{k}_{n}.nii"), Path(f"{k}_{n}_l.nii"), person=f"p{k}")
        for k, count in enumerate(counts)
        for n in range(count)
    ]
    return CaseSet(tuple(cases))


def persons_of(cases: tuple[Case, ...]) -> set[str]:
    return {case.person for case in cases}


@pytest.mark.parametrize("seed", range(5))
def test_a_person_is_either_for_training_or_for_validation(seed: int) -> None:
    cases = cases_of_persons(2, 2, 2, 2, 2).with_validation(0.3, seed)
    training, validation = cases.of_role(Role.TRAIN), cases.of_role(Role.VALIDATE)
    assert not persons_of(training) & persons_of(validation)
    assert (len(training), len(validation)) == (8, 2), "4 would be as near to 3"


def test_cases_of_one_person_alone_have_no_validation() -> None:
    assert not cases_of_persons(6).with_validation(0.3, 0).of_role(Role.VALIDATE)


def test_the_person_with_the_only_example_of_a_class_stays_in_training() -> None:
    for seed in range(5):
        cases = cases_of_persons(2, 2, 2).with_validation(0.5, seed, training_only=["1_0"])
        assert "p1" in persons_of(cases.of_role(Role.TRAIN))
        assert cases.of_role(Role.VALIDATE)


def test_training_sees_no_unlabeled_case_of_a_validation_person() -> None:
    labeled = cases_of_persons(1, 1, 1)
    scans = [Case(f"scan_{k}", Path("s.nii"), None, Role.UNLABELED, f"p{k}") for k in range(3)]
    cases = CaseSet((*labeled.cases, *scans)).with_validation(0.3, 0)
    unlabeled, validation = cases.of_role(Role.UNLABELED), cases.of_role(Role.VALIDATE)
    assert persons_of(unlabeled) == persons_of(labeled.cases) - persons_of(validation)


def test_a_subset_takes_person_by_person() -> None:
    cases = cases_of_persons(2, 2, 2, 2)
    four, five = (cases.subset(count, 3).cases for count in (4, 5))
    assert len(persons_of(four)) == 2
    assert len(five) == 5
    assert persons_of(four) < persons_of(five)


def test_validation_requires_labeled_cases() -> None:
    cases = CaseSet((Case("new", Path("new.nii"), role=Role.UNLABELED),))
    with pytest.raises(GenSegError, match="no labeled cases to train on"):
        cases.with_validation(0.3, 0)


def test_case_sets_round_trip_through_json(tmp_path: Path) -> None:
    files = tmp_path / "images" / "a.nii", tmp_path / "labels" / "a.nii"
    inside = Case("a", *files, Role.VALIDATE, "anna")
    outside = Case("b", Path("/elsewhere/b.nii").absolute(), role=Role.UNLABELED)
    cases = CaseSet((inside, outside), {1: "Leber"}, "CT")
    values = json.loads(json.dumps(cases.to_json(tmp_path)))
    assert CaseSet.from_json(values, tmp_path) == cases
    elsewhere = CaseSet.from_json(values, Path("/server"))
    assert elsewhere.cases[0].image == Path("/server/images/a.nii"), "relative to the list"


@pytest.mark.parametrize("seed", range(4))
def test_validation_cases_are_those_whose_classes_were_annotated(seed: int) -> None:
    hidden = Annotation({"Liver": ClassState.NOT_ANNOTATED})
    cases = [
        Case(name, Path(f"{name}.nii"), Path(f"{name}_label.nii"), annotation=annotation)
        for name, annotation in zip("abcde", (hidden, COMPLETE, hidden, COMPLETE, COMPLETE))
    ]
    split = CaseSet(tuple(cases)).with_validation(0.4, seed)
    assert {case.name for case in split.of_role(Role.VALIDATE)} < set("bde")


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


@pytest.mark.parametrize("key", ["person", "subject", "patient"])
def test_a_list_may_name_the_person_by_any_of_the_usual_words(key: str) -> None:
    entry = {"name": "a", "image": "a.nii", key: 17}
    assert CaseSet.from_json({"cases": [entry]}, Path()).cases[0].person == "17"
