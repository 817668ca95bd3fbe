from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from GenSegLib.datasets.image_io import Volume, read_image, write_image, write_label
from GenSegLib.datasets.label_names import write_label_names
from GenSegLib.dicom.seg_writer import SegmentDescriptions, write_segmentation
from GenSegLib.errors import GenSegError
from GenSegLib.evaluation.evaluate import evaluate_folders
from GenSegLib.evaluation.reference_list import ReferenceList
from GenSegLib.evaluation.score_tables import CaseResult, Evaluation, LabelScore
from GenSegLib.events import Event, EventLog
from Testing.dicom_files import write_ct

LABELS = {1: "Anterior", 2: "Posterior"}


def label_volume(shift: int = 0, values: tuple[int, ...] = (1, 2)) -> Volume:
    array = np.zeros((1, 16, 14, 12), np.int16)
    for position, value in enumerate(values):
        array[0, 2 + shift : 8 + shift, 1 + 6 * position : 6 + 6 * position, 3:9] = value
    return Volume(array, np.diag([1.0, 1.0, 2.0, 1.0]))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    predictions, references = tmp_path / "predictions", tmp_path / "references"
    for case, shift in (("a", 0), ("b", 1), ("c", 3)):
        write_label(references / f"{case}.nii.gz", label_volume())
        write_label(predictions / f"{case}.seg.nrrd", label_volume(shift))
    return predictions, references


def test_cases_are_matched_by_name_across_file_formats(folders: tuple[Path, Path]) -> None:
    evaluation = evaluate_folders(*folders, LABELS)
    assert [case.case for case in evaluation.cases] == ["a", "b", "c"]
    assert evaluation.values(1, "dice") == pytest.approx([1, 5 / 6, 3 / 6])
    assert evaluation.mean("dice") == pytest.approx((1 + 5 / 6 + 3 / 6) / 3)


def test_nnunets_channel_suffix_is_ignored(
    folders: tuple[Path, Path],
) -> None:
    predictions, _ = folders
    (predictions / "a.seg.nrrd").rename(predictions / "a_0000.seg.nrrd")
    assert [case.case for case in evaluate_folders(*folders, LABELS).cases] == ["a", "b", "c"]


def test_words_for_masks_in_the_names_of_references_do_not_count(
    folders: tuple[Path, Path],
) -> None:
    _, references = folders
    for path in list(references.iterdir()):
        path.rename(references / path.name.replace(".nii.gz", "_segmentation.nii.gz"))
    assert [case.case for case in evaluate_folders(*folders, LABELS).cases] == ["a", "b", "c"]


def picture(path: Path, values: list[int]) -> Path:
    """Write a picture of vertical stripes of these values."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.repeat([values] * 8, 2, axis=1).astype(np.uint8)).save(path)
    return path.parent


def test_several_masks_of_an_image_are_one_reference(tmp_path: Path) -> None:
    predictions = picture(tmp_path / "predictions" / "a.png", [1, 1, 0, 1])
    picture(tmp_path / "masks" / "a_mask.png", [255, 255, 0, 0])
    picture(tmp_path / "masks" / "a_mask_1.png", [0, 0, 0, 255])
    references = picture(tmp_path / "masks" / "unpredicted_mask.png", [255, 0, 0, 0])
    (case,) = evaluate_folders(predictions, references, {1: "Lesion"}).cases
    assert (case.case, case.scores[0].dice) == ("a", 1)


def test_masks_that_differ_by_a_word_are_references_of_classes(tmp_path: Path) -> None:
    predictions = picture(tmp_path / "predictions" / "a.png", [1, 1, 0, 2])
    picture(tmp_path / "masks" / "a_left.png", [255, 255, 0, 0])
    references = picture(tmp_path / "masks" / "a_right.png", [0, 0, 0, 255])
    (case,) = evaluate_folders(predictions, references, {1: "Left", 2: "Right"}).cases
    assert [score.dice for score in case.scores] == [1, 1]
    with pytest.raises(GenSegError, match=r"a_left.*class Left is not among the classes"):
        evaluate_folders(predictions, references, {})


def test_distances_use_the_spacing_of_the_reference(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    moved = np.roll(label_volume().array, 1, axis=3)
    write_label(predictions / "a.seg.nrrd", Volume(moved, label_volume().affine))
    evaluation = evaluate_folders(predictions, references, LABELS)
    assert evaluation.cases[0].scores[0].hd95_mm == pytest.approx(2)


def test_the_csv_has_a_row_for_each_case_and_label(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    evaluate_folders(*folders, LABELS).write(tmp_path / "scores.csv", tmp_path / "scores.json")
    with (tmp_path / "scores.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["case"], row["name"]) for row in rows[:2]] == [
        ("a", "Anterior"),
        ("a", "Posterior"),
    ]
    assert len(rows) == 6
    assert float(rows[2]["dice"]) == pytest.approx(5 / 6)


def test_the_json_has_the_means_and_every_case(folders: tuple[Path, Path], tmp_path: Path) -> None:
    evaluate_folders(*folders, LABELS).write(tmp_path / "scores.csv", tmp_path / "scores.json")
    values = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))
    assert values["labels"] == {"1": "Anterior", "2": "Posterior"}
    assert values["mean"]["dice"] == pytest.approx(7 / 9)
    assert values["label_means"]["2"]["dice"] == pytest.approx(7 / 9)
    assert [case["case"] for case in values["cases"]] == ["a", "b", "c"]
    assert values["cases"][2]["mean_dice"] == pytest.approx(0.5)


def test_the_table_has_labels_means_and_the_worst_case(folders: tuple[Path, Path]) -> None:
    lines = evaluate_folders(*folders, LABELS).table().splitlines()
    assert lines[1].split()[:5] == ["Anterior", "3", "0.778", "±", "0.255"]
    assert lines[3].split()[:3] == ["mean", "3", "0.778"]
    assert lines[-1] == "lowest mean Dice: 0.500, case c"


def test_undefined_scores_are_skipped_in_means_and_empty_in_files(tmp_path: Path) -> None:
    nan = math.nan
    scored, empty = LabelScore(1, 0.8, 1.0, 0.9, 0.1), LabelScore(1, nan, nan, nan, 0.0)
    evaluation = Evaluation({1: "Lesion"}, (CaseResult("a", (scored,)), CaseResult("b", (empty,))))
    assert evaluation.mean("dice") == 0.8
    evaluation.write(tmp_path / "scores.csv", tmp_path / "scores.json")
    assert (tmp_path / "scores.csv").read_text(encoding="utf-8").splitlines()[
        2
    ] == "b,1,Lesion,,,,0.0"
    assert (
        json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["cases"][1]["mean_dice"]
        is None
    )
    assert "Lesion  1 " in evaluation.table()


def test_without_label_names_all_labels_of_the_references_are_scored(
    folders: tuple[Path, Path],
) -> None:
    predictions, references = folders
    (references / "c.nii.gz").unlink()
    write_label(references / "c.seg.nrrd", label_volume(0, (1, 7)), {7: "Lesion"})
    evaluation = evaluate_folders(predictions, references, {})
    assert evaluation.labels[2] == "label 2"
    assert evaluation.labels[7] == "Lesion"


def test_label_values_are_called_as_in_the_predictions(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    write_label_names(predictions / "a.nii.gz", {1: "Head", 2: "Body"}, {})
    assert evaluate_folders(predictions, references, {}).labels == {1: "Head", 2: "Body"}
    (predictions / "labels.json").write_text("[]")  # not ours
    assert evaluate_folders(predictions, references, {}).labels == {1: "label 1", 2: "label 2"}


def test_references_without_a_prediction_are_skipped(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    (predictions / "b.seg.nrrd").unlink()
    assert len(evaluate_folders(predictions, references, LABELS).cases) == 2


def test_a_prediction_without_a_reference_is_an_error(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    (references / "b.nii.gz").unlink()
    with pytest.raises(GenSegError, match=r"case b: .* has no reference for b\.seg\.nrrd"):
        evaluate_folders(predictions, references, LABELS)


def test_uncertainty_maps_are_not_scored(folders: tuple[Path, Path]) -> None:
    predictions, _ = folders
    write_image(predictions / "a_uncertainty.nii.gz", label_volume())
    assert [case.case for case in evaluate_folders(*folders, LABELS).cases] == ["a", "b", "c"]


def test_uncertainty_maps_do_not_hide_pictures(tmp_path: Path) -> None:
    label = label_volume()
    picture = replace(label, array=label.array[..., :1])
    for part in ("predictions", "references"):
        write_label(tmp_path / part / "a.png", picture)
    write_image(tmp_path / "predictions" / "a_uncertainty.nii.gz", picture)
    evaluation = evaluate_folders(tmp_path / "predictions", tmp_path / "references", LABELS)
    assert [case.case for case in evaluation.cases] == ["a"]


def test_two_predictions_of_one_case_are_an_error(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    write_label(predictions / "a.nii.gz", label_volume())
    with pytest.raises(GenSegError, match=r"case a: .* has both a\.nii\.gz and a\.seg\.nrrd"):
        evaluate_folders(predictions, references, LABELS)


@pytest.mark.parametrize("fault", ["cropped", "other axes", "shifted", "finer"])
def test_other_grids_are_compared_in_physical_space(folders: tuple[Path, Path], fault: str) -> None:
    predictions, references = folders
    array, affine = label_volume(1).array, label_volume().affine.copy()
    if fault == "cropped":
        array = array[:, :-1]
    elif fault == "other axes":
        array, affine = (
            array[:, ::-1],
            affine @ np.array([[-1, 0, 0, 15], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]),
        )
    elif fault == "shifted":
        array, affine[0, 3] = label_volume(0).array, 1
    else:
        array, affine = array.repeat(2, axis=3), affine @ np.diag([1, 1, 0.5, 1])
        affine[2, 3] = -0.5
    write_label(predictions / "b.seg.nrrd", Volume(np.ascontiguousarray(array), affine))
    evaluation = evaluate_folders(predictions, references, LABELS)
    assert evaluation.values(1, "dice")[1] == pytest.approx(5 / 6)


def test_what_was_unclear_in_a_file_is_said(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    array, affine = label_volume().array.repeat(2, axis=3), label_volume().affine.copy()
    affine[2] = (0, 0, 0.5, -0.25)
    write_label(predictions / "b.seg.nrrd", Volume(array, affine))
    events: list[Event] = []
    evaluate_folders(predictions, references, LABELS, EventLog(None, [events.append]))
    (text,) = (event["text"] for event in events if event["kind"] == "log")
    assert text.startswith("case b: prediction, placed on the image of the reference: ")


def test_references_with_and_without_words_for_masks_may_be_mixed(
    folders: tuple[Path, Path],
) -> None:
    predictions, references = folders
    (references / "b.nii.gz").rename(references / "b_mask.nii.gz")
    cases = evaluate_folders(predictions, references, LABELS).cases
    assert [case.case for case in cases] == ["a", "b", "c"]


@pytest.mark.parametrize("other", ["b_02", "b_followup", "kidney_b"])
def test_the_reference_of_another_case_is_none(folders: tuple[Path, Path], other: str) -> None:
    predictions, references = folders
    (references / "b.nii.gz").rename(references / f"{other}.nii.gz")
    with pytest.raises(GenSegError, match=r"case b: .* has no reference for b"):
        evaluate_folders(predictions, references, LABELS)


def test_segments_with_names_need_those_of_the_references(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    write_label(predictions / "b.seg.nrrd", label_volume(), {1: "Lesion"})
    with pytest.raises(GenSegError, match=r"have names, but .* the references have none"):
        evaluate_folders(predictions, references, {})


def test_a_prediction_in_another_place_is_an_error_with_the_case(
    folders: tuple[Path, Path],
) -> None:
    predictions, references = folders
    affine = label_volume().affine @ np.diag([-1.0, 1, 1, 1])
    write_label(predictions / "b.seg.nrrd", Volume(label_volume().array, affine))
    with pytest.raises(GenSegError, match="case b: prediction and reference have different grids"):
        evaluate_folders(predictions, references, LABELS)


def test_segments_are_compared_by_name_not_by_value(folders: tuple[Path, Path]) -> None:
    predictions, references = folders
    for case in "abc":
        (references / f"{case}.nii.gz").unlink()
        write_label(references / f"{case}.seg.nrrd", label_volume(0, (1, 2)), LABELS)
        swapped = {4: "posterior", 9: " ANTERIOR"}
        write_label(predictions / f"{case}.seg.nrrd", label_volume(0, (9, 4)), swapped)
    for labels in ({}, LABELS, {7: "Posterior", 3: "Anterior"}):
        evaluation = evaluate_folders(predictions, references, labels)
        assert sorted(evaluation.labels.values()) == ["Anterior", "Posterior"]
        assert evaluation.mean("dice") == 1


def test_values_are_not_compared_with_the_names_of_other_values(
    folders: tuple[Path, Path],
) -> None:
    predictions, references = folders
    for case in "abc":
        for path in (references / f"{case}.nii.gz", predictions / f"{case}.seg.nrrd"):
            path.unlink()
        write_label(predictions / f"{case}.nii.gz", label_volume(0, (1, 2)))
        write_label(references / f"{case}.seg.nrrd", label_volume(0, (5, 6)), {5: "A", 6: "B"})
    with pytest.raises(
        GenSegError, match=r"values 1, 2 of a\.nii\.gz are not among the classes 5 A"
    ):
        evaluate_folders(predictions, references, {})
    assert evaluate_folders(predictions, references, {1: "A", 2: "B"}).mean("dice") == 1


@pytest.mark.parametrize("labels", [{}, {1: "Anterior", 2: "Posterior"}])
def test_values_are_compared_by_the_names_that_lists_give_them(
    folders: tuple[Path, Path], labels: dict[int, str]
) -> None:
    predictions, references = folders
    for case in "abc":
        (predictions / f"{case}.seg.nrrd").unlink()
        write_label(predictions / f"{case}.nii.gz", label_volume(0, (2, 1)))
    write_label_names(predictions / "a.nii.gz", {2: "Anterior", 1: "posterior"}, {})
    given = ReferenceList({1: "Anterior", 2: "Posterior"})
    evaluation = evaluate_folders(predictions, references, labels, given=given)
    assert evaluation.values(1, "dice") == evaluation.values(2, "dice") == [1, 1, 1]
    (predictions / "labels.json").unlink()
    model = {2: "Anterior", 1: "Posterior"}  # names the values where no list does
    assert evaluate_folders(predictions, references, model, given=given).mean("dice") == 1


def test_a_class_of_a_reference_that_the_predictions_lack_is_an_error(
    folders: tuple[Path, Path],
) -> None:
    predictions, references = folders
    (predictions / "a.seg.nrrd").unlink()
    write_label(predictions / "a.nii.gz", label_volume())
    write_label_names(predictions / "a.nii.gz", {1: "Anterior", 2: "Back"}, {})
    with pytest.raises(GenSegError, match=r"Posterior is not among those of a\.nii\.gz"):
        evaluate_folders(predictions, references, {}, given=ReferenceList(LABELS))


def listed(tmp_path: Path, label: object, **entry: object) -> Path:
    """Write a list of one case above its references, and return their folder."""
    case = {"name": "a", "image": "a.nii.gz", "label": label, **entry}
    values = {"labels": {"1": "Anterior", "2": "Posterior"}, "cases": [case]}
    (tmp_path / "cases.json").write_text(json.dumps(values), encoding="utf-8")
    return tmp_path / "references"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"role": "test"}, r'cases\.json: case a: "role" must be one of'),
        (
            {"classes": {"Posteriour": "not annotated"}},
            "case a: .* names Posteriour, which",
        ),
    ],
)
def test_a_list_of_references_with_a_mistake_is_an_error(
    folders: tuple[Path, Path], entry: dict[str, object], message: str
) -> None:
    predictions, references = folders
    listed(references.parent, "references/a.nii.gz", **entry)
    with pytest.raises(GenSegError, match=message):
        evaluate_folders(predictions, references, {}, given=ReferenceList.beside(references))


@pytest.mark.parametrize("entry", [{"only_slices": "axial"}, {"scribbles": True}])
def test_partial_annotation_in_several_files_counts_in_all_of_them(
    tmp_path: Path, entry: dict[str, object]
) -> None:
    whole = label_volume().array.copy()
    write_label(tmp_path / "predictions" / "a.nii.gz", label_volume())
    whole[..., 6:] = 0  # not drawn, so that it does not count
    for value, name in ((1, "a_mask"), (2, "a_mask_1")):
        part = np.where(whole == value, value, 0).astype(np.int16)
        path = tmp_path / "references" / f"{name}.nii.gz"
        write_label(path, Volume(part, label_volume().affine))
    files = ["references/a_mask.nii.gz", "references/a_mask_1.nii.gz"]
    given = ReferenceList.beside(listed(tmp_path, files, **entry))
    folders = tmp_path / "predictions", tmp_path / "references"
    (case,) = evaluate_folders(*folders, {}, given=given).cases
    assert [score.dice for score in case.scores] == [1, 1]


def test_the_segment_numbers_of_a_dicom_seg_are_not_label_values(
    tmp_path: Path, abdomen: Path
) -> None:
    """A SEG numbers its segments from 1, whatever values they had."""
    series = write_ct(tmp_path / "a", abdomen / "dicom_ct3", [0, 2, 4])
    image = read_image(series)
    array = np.zeros(image.array.shape, np.int16)
    array[0, 1:4, 1:4], array[0, 1:4, 4:] = 2, 3
    label = Volume(array, image.affine)
    segments = SegmentDescriptions({2: "Label 2", 3: "Label 3"})
    (tmp_path / "predictions").mkdir()
    write_segmentation(tmp_path / "predictions" / "a.dcm", label, series, segments)
    write_label(tmp_path / "references" / "a.nii.gz", label)
    evaluation = evaluate_folders(tmp_path / "predictions", tmp_path / "references", {})
    assert evaluation.values(2, "dice") == evaluation.values(3, "dice") == [1]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_folder_is_an_error(folders: tuple[Path, Path], missing: int) -> None:
    given = list(folders)
    given[missing] = given[missing] / "nowhere"
    with pytest.raises(GenSegError, match="nowhere"):
        evaluate_folders(given[0], given[1], LABELS)
