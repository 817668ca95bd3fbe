"""Classes are matched by name, never by the value or the position of a segment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from GenSegLib.case_annotation import Annotation, ClassState
from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.checks.classes import class_warnings, keep_classes, with_classes
from GenSegLib.commands.training_cases import prepare_cases
from GenSegLib.data.case_loading import load_training_cases
from GenSegLib.datasets.image_io import Volume, write_image, write_label
from GenSegLib.dicom.terminology import parse_terminology
from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import (
    Concepts,
    closest_name,
    collect_classes,
    match_names,
    preset_values,
)
from GenSegLib.presets import load_preset

LIVER = replace(
    load_preset("liver-ct"),
    labels={1: "Liver", 2: "Lesion"},
    optional_labels=(2,),
    colors={1: (1, 1, 1), 2: (2, 2, 2)},
    terminology={1: "liver's", 2: "lesion's"},
)
GENERIC = replace(load_preset("generic-mri"), spacing=(1.0, 1.0, 1.0))


def write_case(folder: Path, name: str, values: dict[str, int], suffix: str = ".seg.nrrd") -> Case:
    """Write an image and a label with a slab of voxels for each segment.

    Args:
        folder: where to.
        name: of the case.
        values: value of each segment; its slab is at the place of its name in `SLABS`.
        suffix: of the label file.
    """
    label = np.zeros((1, 16, 16, 16), np.int16)
    for segment, value in values.items():
        label[0, SLABS[segment.strip().casefold()]] = value
    image = np.random.default_rng(len(list(folder.iterdir()))).normal(100, 5, label.shape)
    write_image(folder / f"{name}.nii", Volume(image.astype(np.float32), np.eye(4)))
    path = folder / f"{name}_label{suffix}"
    write_label(path, Volume(label, np.eye(4)), {value: key for key, value in values.items()})
    return Case(name, folder / f"{name}.nii", path, Role.TRAIN)


SLABS = {"liver": slice(2, 5), "lesion": slice(6, 8), "vessel": slice(10, 12)}


def test_one_name_is_one_class_whatever_its_values(tmp_path: Path) -> None:
    cases = CaseSet(
        (
            write_case(tmp_path, "a", {"Liver": 1, "Lesion": 2}),
            write_case(tmp_path, "b", {"lesion": 1, "LIVER ": 3}),
        )
    )
    cases, _ = with_classes(cases, None)
    assert cases.labels == {1: "Liver", 2: "Lesion"}
    checks = check_cases(cases)
    assert [check.voxels for check in checks] == [{1: 768, 2: 512}] * 2
    loaded = load_training_cases(cases.cases, GENERIC, cases.labels, torch.device("cpu"))
    for case in loaded:
        counts = case.voxel_counts()
        assert {value: counts[value] for value in (1, 2)} == {1: 768, 2: 512}


def test_the_names_of_segments_reach_the_training(tmp_path: Path) -> None:
    files = (write_case(tmp_path, name, {"Vessel": 4}) for name in "ab")
    prepared = prepare_cases(CaseSet(tuple(files)), GENERIC, 0.3, 0)
    assert prepared.cases.labels == {4: "Vessel"}


def test_values_of_files_without_names_are_those_of_the_list(tmp_path: Path) -> None:
    cases = CaseSet(
        (
            write_case(tmp_path, "a", {"Liver": 2, "Lesion": 1}, ".nii.gz"),
            write_case(tmp_path, "b", {"Liver": 7, "Lesion": 8}),
        ),
        {2: "Liver", 1: "Lesion"},
    )
    cases, preset = with_classes(cases, LIVER)
    assert [check.voxels for check in check_cases(cases)] == [{2: 768, 1: 512}] * 2
    assert preset is not None
    assert preset.labels == {2: "Liver", 1: "Lesion"}
    assert preset.terminology == {2: "liver's", 1: "lesion's"}
    assert preset.optional_labels == (1,)


def test_values_without_names_are_those_of_the_preset_and_a_note_says_so(tmp_path: Path) -> None:
    cases = CaseSet((write_case(tmp_path, "a", {"Liver": 1, "Lesion": 2}, ".nii.gz"),))
    cases, _ = with_classes(cases, LIVER)
    assert cases.labels == LIVER.labels
    assert "no names; their values are assumed to be those of preset" in cases.notes[-1]
    assert "(1 Liver, 2 Lesion)" in cases.notes[-1]


def test_a_class_that_the_preset_lacks_is_refused(tmp_path: Path) -> None:
    cases = CaseSet((write_case(tmp_path, "a", {"Liver": 1, "Vessel": 3}),))
    with pytest.raises(GenSegError, match="labels 1 Liver, 3 Vessel, but the preset expects 1 Liv"):
        with_classes(cases, LIVER)


def test_a_class_of_the_preset_in_no_case_is_left_out_with_a_warning(tmp_path: Path) -> None:
    files = (write_case(tmp_path, name, {"lesion": 1}) for name in "ab")
    cases, preset = with_classes(CaseSet(tuple(files)), LIVER)
    assert preset is not None
    assert cases.labels == {1: "lesion", 2: "Liver"}
    checks = check_cases(cases)
    assert class_warnings(cases, checks) == [
        "class Liver does not occur in any of the 2 labeled cases and is left out"
    ]
    kept, preset = keep_classes(cases, preset, checks)
    assert kept.labels == {1: "lesion"}
    assert preset.labels == {1: "Lesion"}


def test_a_run_that_lacks_a_class_is_a_list_to_train_on(tmp_path: Path) -> None:
    says = Annotation({"lesion": ClassState.ABSENT})
    files = [write_case(tmp_path, name, {"Liver": 1}) for name in "abc"]
    files[0] = replace(files[0], annotation=says)
    cases = CaseSet(tuple(files), includes={"Liver": ("Lesion",)})
    warnings: list[str] = []
    prepared = prepare_cases(cases, GENERIC, 0.3, 0, warnings.append)
    assert any("marks lesion as absent" in text for text in warnings)
    again = CaseSet.from_json(prepared.cases.to_json(), tmp_path)
    assert prepare_cases(again, GENERIC, 0.3, 0).cases.labels == {1: "Liver"}
    assert again.includes == {} and all(not case.annotation.classes for case in again.cases)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("tumour", "Tumor"), ("Kidny L", "Kidney L"), ("Kidney R", ""), ("Rib 2", ""), ("Bone", "")],
)
def test_misspelled_names_resemble_but_sides_and_numbers_differ(name: str, meant: str) -> None:
    assert closest_name(name, ["Tumor", "Kidney L", "Rib 1"]) == meant


def test_a_class_in_one_case_alone_is_a_warning(tmp_path: Path) -> None:
    files = [write_case(tmp_path, name, {"Liver": 1}) for name in "abc"]
    files[2] = replace(write_case(tmp_path, "d", {"Liver": 1, "Lesion": 2}), role=Role.VALIDATE)
    cases, _ = with_classes(CaseSet(tuple(files)), None)
    (warning,) = class_warnings(cases, check_cases(cases))
    assert (
        "class Lesion occurs in only 1 of 3 labeled cases (d), which is a validation case"
        in warning
    )


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({4: "tumor", 9: "Liver"}, {4: 2, 9: 1}),
        ({1: "Label 2"}, {1: 2}),
        ({3: "Segment_1"}, {3: 1}),
        ({1: "TUMOR", 2: "Tumor"}, {1: 2, 2: 2}),
    ],
)
def test_names_are_matched_without_case_and_spaces(
    own: dict[int, str], expected: dict[int, int]
) -> None:
    assert match_names(own, {1: "Liver", 2: " Tumor "}) == expected


def test_default_names_are_names_like_others_where_there_is_such_a_class() -> None:
    assert match_names({1: "Label 2"}, {5: "label 2", 2: "Liver"}) == {1: 5}
    with pytest.raises(GenSegError, match="segment Label 3 is not among the classes 2 Liver"):
        match_names({1: "Label 3"}, {2: "Liver"})


def test_classes_of_all_files_have_distinct_values() -> None:
    files = [{1: "Liver", 2: "Tumor"}, {2: "Vessel", 1: "tumor"}, {9: "Bone"}]
    assert collect_classes(files) == {1: "Liver", 2: "Tumor", 3: "Vessel", 9: "Bone"}


@pytest.mark.parametrize(
    ("found", "values"),
    [
        ({1: "liver ", 2: "LESION"}, {1: 1, 2: 2}),
        ({1: "Lesion", 2: "Liver"}, {1: 2, 2: 1}),
        ({1: "Lesion"}, {1: 2, 2: 1}),
        ({4: "Label 1", 5: "Segment_2"}, {1: 4, 2: 5}),
        ({7: "liver", 9: "Label 2"}, {1: 7, 2: 9}),
    ],
)
def test_a_preset_takes_the_values_of_the_cases(
    found: dict[int, str], values: dict[int, int]
) -> None:
    assert preset_values(found, {1: "Liver", 2: "Lesion"}) == values


@pytest.mark.parametrize(
    "found", [{3: "cancer"}, {1: "liver", 3: "vessel"}, {1: "Spleen"}, {1: "Spleen", 2: "Kidney"}]
)
def test_cases_with_other_classes_than_the_preset_are_refused(found: dict[int, str]) -> None:
    with pytest.raises(GenSegError, match="expects 1 Liver, 2 Lesion; rename"):
        preset_values(found, {1: "Liver", 2: "Lesion"})


def entry(kind: str, value: str, side: str = "^^") -> str:
    """A terminology entry as 3D Slicer serializes it."""
    return f"list~SCT^123037004^Anatomical Structure~SCT^{value}^{kind}~{side}~list~^^~^^"


LEFT, RIGHT = (entry("Kidney", "64033007", f"SCT^{code}^side") for code in ("7771000", "24028007"))


def test_names_of_another_language_are_matched_by_terminology(tmp_path: Path) -> None:
    preset = replace(LIVER, terminology={1: entry("Liver", "10200004")})
    label = Volume(np.zeros((1, 16, 16, 16), np.int16), np.eye(4))
    label.array[0, 2:5], label.array[0, 6:8] = 4, 9
    case = write_case(tmp_path, "a", {"Lesion": 9, "Liver": 4})
    names = {4: "Leber", 9: "lesion"}
    assert case.label is not None
    write_label(case.label, label, names, terminology={4: entry("Leber", "10200004")})
    cases, fitted = with_classes(CaseSet((case,)), preset)
    assert fitted is not None
    assert cases.labels == {4: "Liver", 9: "lesion"}
    (check,) = check_cases(cases, terminology=fitted.terminology)
    assert check.voxels == {4: 768, 9: 512}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({1: LEFT, 2: RIGHT}, {1: 6, 2: 5}),
        ({1: entry("Niere", "64033007", "SCT^7771000^links"), 2: RIGHT}, {1: 6, 2: 5}),
    ],
)
def test_sides_are_part_of_the_terminology(own: dict[int, str], expected: dict[int, int]) -> None:
    keys = {value: parse_terminology(text).key for value, text in own.items()}
    classes = {value: parse_terminology(text).key for value, text in {5: RIGHT, 6: LEFT}.items()}
    concepts = Concepts(keys, classes)
    assert match_names({1: "a", 2: "b"}, {5: "right", 6: "left"}, concepts) == expected


def test_a_code_that_several_classes_share_identifies_none() -> None:
    """Anterior and posterior hippocampus have one code; so do all segments without any."""
    preset = load_preset("hippocampus-mri")
    keys = {value: parse_terminology(text).key for value, text in preset.terminology.items()}
    with pytest.raises(GenSegError, match="segment vorne is not among the classes"):
        match_names({1: "vorne"}, preset.labels, Concepts({1: keys[1]}, keys))
    assert parse_terminology("").key is None
