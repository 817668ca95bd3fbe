"""Segments are mapped to classes by name, terminology and number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import slicer
from GenSegSlicerLib.SegmentClasses import (
    SegmentOccurrence,
    classLabels,
    collectSegments,
    missingClasses,
    suggestClasses,
)
from GenSegSlicerLib.TrainingPair import TrainingPair
from mrml_nodes import (
    GRIDS,
    add_label_map,
    add_segmentation,
    add_volume,
    noise,
    oriented_image,
    two_class_labels,
)

from GenSegLib.presets import load_preset

HIPPOCAMPUS = load_preset("hippocampus-mri")
LIVER = load_preset("liver-ct")
CUSTOM = load_preset("generic-ct")
LIVER_CODE = LIVER.terminology[1]


def pair_of(name: str, segments: Any) -> TrainingPair:
    volume = add_volume(noise(), GRIDS["RAS"], name)
    image = oriented_image(two_class_labels(), GRIDS["RAS"])
    return TrainingPair(volume, add_segmentation([(image, segments)]))


def suggested(name: str, preset: Any, terminology: str = "") -> str:
    return suggestClasses([SegmentOccurrence(name, terminology, 1)], preset)[name]


def test_names_in_upper_and_lower_case_are_one_class() -> None:
    segments = [SegmentOccurrence(name, "", 1) for name in ("Tumor", "tumor ", "Cyst")]
    assert suggestClasses(segments, CUSTOM) == {"Tumor": "Tumor", "tumor ": "Tumor", "Cyst": "Cyst"}
    known = {"TUMOR": "Lesion", "cyst": ""}
    assert list(suggestClasses(segments, CUSTOM, known).values()) == ["Lesion", "Lesion", "Cyst"]


def test_segments_are_collected_with_the_cases_that_lack_them(scene: Any) -> None:
    pairs = [
        pair_of("first", {1: "Liver", 2: "Tumor"}),
        pair_of("second", {1: "Liver"}),
        pair_of("third", {1: "Spleen"}),
    ]
    uses = collectSegments(pairs)
    assert [(use.name, use.count, use.missingIn) for use in uses] == [
        ("Liver", 2, ["third"]),
        ("Tumor", 1, ["second", "third"]),
        ("Spleen", 1, ["first", "second"]),
    ]


def test_classes_missing_in_some_cases_are_counted() -> None:
    uses = [
        SegmentOccurrence("Liver", "", 2, ["third"]),
        SegmentOccurrence("Leber", "", 1, ["first", "second"]),
        SegmentOccurrence("Tumor", "", 1, ["second", "third"]),
        SegmentOccurrence("Spleen", "", 1, ["first", "second"]),
        SegmentOccurrence("Ignore", "", 1, ["first", "second"]),
    ]
    classes = {"Liver": "Liver", "Leber": "Liver", "Tumor": "Lesion", "Spleen": ""}
    classes["Ignore"] = "Ignore"
    assert missingClasses(uses, classes, {}) == {"Lesion": 2}
    said = {"Lesion": ["third"]}
    assert missingClasses(uses, classes, said) == {"Lesion": 1}, "the third case says so itself"


def test_terminology_is_read_from_the_segment(scene: Any) -> None:
    pair = pair_of("first", {1: "Leber"})
    pair.segmentationNode.GetSegmentation().GetNthSegment(0).SetTag("TerminologyEntry", LIVER_CODE)
    assert collectSegments([pair])[0].terminology == LIVER_CODE


def test_segments_of_a_label_map_are_its_values(scene: Any) -> None:
    label_map = add_label_map(two_class_labels() * np.uint8(2), GRIDS["RAS"])
    pair = TrainingPair(add_volume(noise(), GRIDS["RAS"]), label_map)
    assert [use.name for use in collectSegments([pair])] == ["Label 2", "Label 4"]


def test_label_map_values_are_named_by_a_user_color_table(scene: Any) -> None:
    label_map = add_label_map(two_class_labels(), GRIDS["RAS"])
    label_map.CreateDefaultDisplayNodes()
    colors = scene.AddNewNodeByClass("vtkMRMLColorTableNode", "my colors")
    colors.SetTypeToUser()
    colors.SetNumberOfColors(3)
    colors.SetColor(1, "Leber", 1, 0, 0, 1)
    colors.SetColor(2, "Milz", 0, 1, 0, 1)
    label_map.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
    pair = TrainingPair(add_volume(noise(), GRIDS["RAS"]), label_map)
    assert [use.name for use in collectSegments([pair])] == ["Leber", "Milz"]


def test_custom_preset_uses_segment_names_as_classes() -> None:
    uses = [SegmentOccurrence("Leber", "", 2), SegmentOccurrence("Milz", "", 1)]
    assert suggestClasses(uses, CUSTOM) == {"Leber": "Leber", "Milz": "Milz"}


@pytest.mark.parametrize(
    ("name", "preset", "expected"),
    [
        ("Liver", LIVER, "Liver"),
        ("Liver_left", LIVER, "Liver"),
        ("liver segmentation", LIVER, "Liver"),
        ("liver tumor", LIVER, ""),
        ("Hippocampus anterior (R)", HIPPOCAMPUS, "Anterior"),
        ("Anterior and posterior", HIPPOCAMPUS, ""),
        ("Label 2", HIPPOCAMPUS, "Posterior"),
        ("Segment_1", HIPPOCAMPUS, "Anterior"),
        ("Anterior commissure", HIPPOCAMPUS, ""),
    ],
)
def test_class_is_suggested_by_name_or_number(name: str, preset: Any, expected: str) -> None:
    assert suggested(name, preset) == expected


def test_class_is_suggested_by_terminology() -> None:
    assert suggested("Leber", LIVER, LIVER_CODE) == "Liver"
    assert suggested("Leber", LIVER, slicer.vtkSegment().GetTerminologyEntryTagName()) == ""


def test_ambiguous_terminology_suggests_no_class() -> None:
    assert suggested("Kopf", HIPPOCAMPUS, HIPPOCAMPUS.terminology[1]) == ""


def test_preset_classes_keep_their_values() -> None:
    preset = replace(LIVER, labels={5: "Liver", 2: "Tumor"})
    mapped = {"a": "Kidney", "b": "Tumor", "c": "", "d": "Spleen"}
    assert classLabels(mapped, preset) == {5: "Liver", 2: "Tumor", 6: "Kidney", 7: "Spleen"}


@pytest.mark.parametrize("lesion", ["Lesion", ""])
def test_optional_class_needs_a_segment(lesion: str) -> None:
    found = classLabels({"a": "Liver", "b": lesion}, LIVER)
    assert found == ({1: "Liver", 2: "Lesion"} if lesion else {1: "Liver"})


def test_a_class_is_suggested_by_number_only_where_all_numbers_are_of_the_preset() -> None:
    numbered = [SegmentOccurrence(f"Label {k}", "", 1) for k in range(1, 46)]
    assert set(suggestClasses(numbered, LIVER).values()) == {""}
    assert suggestClasses(numbered[:1], LIVER) == {"Label 1": "Liver"}
