"""The folder of an annotation loop keeps states through crashes and damaged lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from GenSegLib.annotation.folder import AnnotationFolder, CaseEntry
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.label_maps import BACKGROUND


def checked(name: str, labels: dict[str, str]) -> CaseEntry:
    return CaseEntry(name, "checked", f"images/{name}.nrrd", f"labels/{name}.nrrd", labels)


def test_the_last_state_of_a_case_counts_and_damaged_lines_are_skipped(tmp_path: Path) -> None:
    folder = AnnotationFolder(tmp_path)
    folder.add(CaseEntry("a", "draft", label="drafts/a.nrrd", model="first", trained_cases=2))
    with (folder.path / "states.jsonl").open("a") as stream:
        stream.write('{"case": "b", "state": "finished"}\n[1]\n{"case": "a", "sta')  # killed
    folder.add(checked("a", {"1": "Liver"}))
    folder.unlock()
    entries = AnnotationFolder(tmp_path).entries()
    assert {name: entry.state for name, entry in entries.items()} == {"a": "checked"}


def test_checked_cases_are_a_list_for_training(tmp_path: Path) -> None:
    folder = AnnotationFolder(tmp_path)
    folder.add(checked("a", {"1": "Liver"}))
    folder.add(CaseEntry("b", "draft", label="drafts/b.nrrd"))
    folder.add(CaseEntry("c", "checked", "/data/c.nii.gz", "labels/c.nrrd", {"2": "Spleen"}))
    folder.unlock()
    cases = read_cases(folder.path)
    assert [case.name for case in cases.cases] == ["a", "c"]
    assert cases.labels == {1: "Liver", 2: "Spleen"}
    assert [case.image for case in cases.cases] == [
        folder.path / "images" / "a.nrrd",
        Path("/data/c.nii.gz"),
    ]


def test_classes_within_others_are_listed(tmp_path: Path) -> None:
    folder = AnnotationFolder(tmp_path)
    labels = {"1": "Liver", "2": "Tumor"}
    folder.add(replace(checked("a", labels), nested=[["Liver", "Tumor"]]))
    folder.unlock()
    assert read_cases(folder.path).includes == {"Liver": ("Tumor",)}
    with pytest.raises(GenSegError, match="nested must be a list of pairs"):
        replace(checked("a", labels), nested=[["Liver"]])


@pytest.mark.parametrize("nested, meaning", [([["Liver", "Tumor"]], {2: 1}), ([], {2: BACKGROUND})])
def test_an_unused_class_is_what_lies_around_it(
    tmp_path: Path, nested: list[list[str]], meaning: dict[int, int]
) -> None:
    folder = AnnotationFolder(tmp_path)
    folder.add(replace(checked("a", {"1": "Liver", "2": "Tumor"}), nested=nested))
    cases = folder.checked_cases({"Tumor"})
    folder.unlock()
    assert cases.labels == {1: "Liver"}
    assert cases.includes == {}
    assert cases.cases[0].annotation.values == meaning


def test_classes_keep_their_values_and_new_ones_get_free_ones(tmp_path: Path) -> None:
    folder = AnnotationFolder(tmp_path)
    preset = {1: "Anterior", 2: "Posterior"}
    assert folder.class_names(["Posterior", "Tail"], preset) == {2: "Posterior", 3: "Tail"}
    folder.add(checked("a", {"2": "Posterior", "3": "Tail"}))
    assert folder.class_names(["Anterior", "Tail"], preset) == {
        1: "Anterior",
        2: "Posterior",
        3: "Tail",
    }
    folder.unlock()


def test_a_second_program_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    first, second = AnnotationFolder(tmp_path), AnnotationFolder(tmp_path)
    first.lock()
    with pytest.raises(GenSegError, match="is being annotated by process"):
        second.add(CaseEntry("a", "draft"))
    assert second.entries() == {}
    first.unlock()
    second.add(CaseEntry("a", "draft"))
    second.unlock()


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "annotation").write_text("a file")
    with pytest.raises(GenSegError, match="cannot be written"):
        AnnotationFolder(tmp_path).lock()


def test_the_position_of_a_label_is_a_matrix_or_unknown(tmp_path: Path) -> None:
    folder = AnnotationFolder(tmp_path)
    folder.add(replace(checked("a", {"1": "Liver"}), affine=[1.0] * 16))
    folder.add(checked("b", {"1": "Liver"}))  # as earlier versions
    folder.unlock()
    assert [len(entry.affine) for entry in folder.entries().values()] == [16, 0]
    with pytest.raises(GenSegError, match="affine must be empty or 16 numbers"):
        CaseEntry("a", "draft", affine=[1.0])
