from __future__ import annotations

import pytest

from GenSegLib.dicom.terminology import UNKNOWN, Code, parse_terminology
from GenSegLib.presets import load_preset


def test_a_string_of_slicer_is_read_part_by_part() -> None:
    found = parse_terminology(
        "Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^123037004^Anatomical Structure~SCT^64033007^Kidney~SCT^24028007^Right"
        "~Anatomic codes - DICOM master list~SCT^818983003^Abdomen~SCT^51440002^Bilateral"
    )
    assert found.category == Code("SCT", "123037004", "Anatomical Structure")
    assert found.kind == Code("SCT", "64033007", "Kidney")
    assert found.kind_modifier == Code("SCT", "24028007", "Right")
    assert found.region == Code("SCT", "818983003", "Abdomen")
    assert found.region_modifier == Code("SCT", "51440002", "Bilateral")


def test_empty_parts_are_nothing() -> None:
    found = parse_terminology(load_preset("hippocampus-mri").terminology[1])
    assert found.kind.meaning == "Hippocampus"
    assert found.kind_modifier is found.region is found.region_modifier is None


@pytest.mark.parametrize("text", ["", "Liver", "~~~", "a~SCT^1^b~SCT^^Liver~", "~" * 30])
def test_what_is_no_terminology_is_tissue_as_slicer_has_it(text: str) -> None:
    assert parse_terminology(text) == UNKNOWN
    assert UNKNOWN.kind == Code("SCT", "85756007", "Tissue")
