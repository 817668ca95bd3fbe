"""Cases annotated in part: what their lists and files say, their checks and scores."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from partial_cases import (
    LABELS,
    SHAPE,
    label_array,
    load,
    partly_annotated,
    preset_without_resampling,
    write_case,
)

from GenSegLib.case_annotation import Annotation, ClassState
from GenSegLib.cases import Case, CaseSet
from GenSegLib.checks.annotations import NO_CLASS_ANNOTATED, NOTHING_ANNOTATED
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.checks.class_counts import NO_BACKGROUND
from GenSegLib.checks.classes import class_warnings, keep_classes
from GenSegLib.cli import main
from GenSegLib.data.case_fingerprint import fingerprint_case
from GenSegLib.data.label_sets import LabelSets
from GenSegLib.datasets.image_io import Volume, read_label, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.errors import GenSegError
from GenSegLib.evaluation.evaluate import evaluate_folders
from GenSegLib.evaluation.metrics import case_scores
from GenSegLib.evaluation.reference_list import ReferenceList
from GenSegLib.label_maps import IGNORE


def read(case: Case) -> np.ndarray:
    assert case.label is not None
    return read_label(case.label, classes=LABELS, annotation=case.annotation).array[0]


# lists and files


def test_a_list_says_what_was_annotated(tmp_path: Path) -> None:
    annotation = Annotation(
        {"Posterior": ClassState.ABSENT, "Anterior": ClassState.NOT_ANNOTATED},
        only_slices="axial",
        scribbles=True,
        values={3: IGNORE},
    )
    case = replace(write_case(tmp_path, "a", label_array()), annotation=annotation)
    cases = CaseSet((case,), LABELS)
    entry = cases.to_json(tmp_path)["cases"][0]
    assert entry["classes"] == {"Posterior": "absent", "Anterior": "not annotated"}
    assert (entry["only_slices"], entry["scribbles"]) == ("axial", True)
    (tmp_path / "cases.json").write_text(json.dumps(cases.to_json(tmp_path)), encoding="utf-8")
    assert read_cases(tmp_path).cases[0].annotation == annotation
    plain = replace(case, annotation=Annotation()).to_json(tmp_path)
    assert set(plain) == {"name", "image", "label", "role"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"classes": {"Liver": "unknown"}}, "case a: \"classes\": Liver is 'unknown', not one of"),
        ({"classes": ["Liver"]}, '"classes" must be an object'),
        ({"only_slices": "red"}, '"only_slices" must be one of sagittal, coronal, axial'),
        ({"scribbles": "yes"}, '"scribbles" must be true or false'),
        ({"values": {"3": "nothing"}}, '"values" must be an object such as'),
        ({"values": {"3": -5}}, '"values": 3 cannot become -5'),
    ],
)
def test_a_list_that_says_nonsense_is_refused(entry: dict[str, object], message: str) -> None:
    values = {"cases": [{"name": "a", "image": "a.nii", "label": "b.nii", **entry}]}
    with pytest.raises(GenSegError, match=message):
        CaseSet.from_json(values, Path())


@pytest.mark.parametrize(
    "labels",
    [
        {"background": 0, "Anterior": 1, "Posterior": 2, "ignore": 3},
        {"0": "background", "1": "Anterior", "2": "Posterior", "3": "Ignore"},
    ],
    ids=["nnU-Net", "Decathlon"],
)
def test_the_label_ignore_of_a_data_set_is_no_class(tmp_path: Path, labels: object) -> None:
    label = label_array()
    label[:, :, 0] = 3
    write_case(tmp_path, "a", label)
    dataset = {
        "labels": labels,
        "training": [{"image": "images/a.nii.gz", "label": "labels/a.nii.gz"}],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(dataset), encoding="utf-8")
    cases = read_cases(tmp_path)
    assert cases.labels == LABELS
    found = read(cases.cases[0])
    assert (found[:, :, 0] == IGNORE).all() and (found[:, :, 1:] >= 0).all()
    (check,) = check_cases(cases)
    assert check.ok and check.ignored == 120 and check.voxels == {1: 96, 2: 72}


@pytest.mark.parametrize("value", [-1, 10**12])
def test_a_value_to_ignore_that_no_label_has_changes_nothing(tmp_path: Path, value: int) -> None:
    meaning = Annotation(values={value: IGNORE})
    case = write_case(tmp_path, "a", label_array(), meaning)
    assert (read(case) == label_array()).all()


def test_a_segment_named_ignore_wins_and_one_named_background_loses(tmp_path: Path) -> None:
    label = np.zeros((1, 6, 5, 4), np.int16)
    label[0, :3], label[0, 3], label[0, 4] = 1, 2, 3
    names = {1: "Anterior", 2: " IGNORE ", 3: "background"}
    write_label(tmp_path / "a.seg.nrrd", Volume(label, np.eye(4)), names)
    found = read_label(tmp_path / "a.seg.nrrd", classes=LABELS).array[0]
    assert [found[x, 0, 0] for x in range(6)] == [1, 1, 1, IGNORE, 0, 0]
    scribbled = Annotation(scribbles=True)
    found = read_label(tmp_path / "a.seg.nrrd", classes=LABELS, annotation=scribbled).array[0]
    assert [found[x, 0, 0] for x in range(6)] == [1, 1, 1, IGNORE, 0, IGNORE]


def test_slices_without_a_segment_are_ignored_in_the_drawing_plane(tmp_path: Path) -> None:
    label = label_array()
    label[:, :, [3, 5]] = 0
    case = write_case(tmp_path, "a", label)
    for plane, axis, drawn in (("axial", 2, [2, 4]), ("sagittal", 0, range(2, 8))):
        found = read(replace(case, annotation=Annotation(only_slices=plane)))
        found = np.moveaxis(found, axis, 0)
        assert [k for k in range(len(found)) if (found[k] >= 0).all()] == list(drawn)
        assert all((found[k] == IGNORE).all() for k in range(len(found)) if k not in drawn)


def test_planes_are_those_of_the_patient_whatever_the_order_of_axes(tmp_path: Path) -> None:
    affine = np.eye(4)[[2, 0, 1, 3]]  # the second axis of the array is inferior-superior
    label = np.zeros((1, 5, 6, 7), np.int16)
    label[0, 2, 1:3, 1:3] = 1
    write_label(tmp_path / "a.nii.gz", Volume(label, affine))
    volume = read_label(tmp_path / "a.nii.gz", annotation=Annotation(only_slices="axial"))
    axis = [code in "SI" for code in volume.orientation].index(True)
    known = (volume.array[0] >= 0).all(axis=tuple({0, 1, 2} - {axis}))
    assert volume.shape[axis] == 6 and np.flatnonzero(known).tolist() == [1, 2]


# checks, counts, volumes, fingerprint


def test_checks_find_what_a_case_cannot_mean(tmp_path: Path) -> None:
    def only(name: str, state: ClassState) -> CaseSet:
        case = write_case(tmp_path, "a", label_array(), Annotation({name: state}))
        return CaseSet((case,), LABELS)

    (check,) = check_cases(only("Posterior", ClassState.ABSENT))
    assert "Posterior is marked as absent, but 72 voxels of it are labeled" in check.errors[0]
    (check,) = check_cases(only("Posteriour", ClassState.ABSENT))
    assert '"classes" names Posteriour, which is not one of the classes' in check.errors[0]
    (check,) = check_cases(only("Tail", ClassState.ABSENT))
    assert check.ok and "Tail as absent, but it is not one of the classes" in check.warnings[0]
    (check,) = check_cases(only("Posterior", ClassState.NOT_ANNOTATED))
    assert check.ok and check.voxels == {1: 96}
    assert check.warnings == ("Posterior is not annotated: 72 labeled voxels of it are not used",)
    empty = np.zeros(SHAPE, np.int16)
    case = write_case(tmp_path, "b", empty, Annotation(only_slices="axial"))
    (check,) = check_cases(CaseSet((case,), LABELS))
    assert check.errors == (NOTHING_ANNOTATED,)
    hidden = Annotation(dict.fromkeys(LABELS.values(), ClassState.NOT_ANNOTATED))
    (check,) = check_cases(CaseSet((replace(case, annotation=hidden),), LABELS))
    assert check.errors == (NO_CLASS_ANNOTATED,)


def test_a_missing_class_is_a_warning_unless_the_case_says_what_it_means(tmp_path: Path) -> None:
    label = label_array()
    cases = [write_case(tmp_path, name, label) for name in "ab"]
    cases.append(write_case(tmp_path, "c", np.where(label == 1, 1, 0)))

    def warnings() -> list[str]:
        found = CaseSet(tuple(cases), LABELS)
        return class_warnings(found, check_cases(found))

    (line,) = warnings()
    assert line.startswith(
        "class Posterior is missing in 1 of 3 labeled cases (c), which are treated as"
    )
    assert '"classes": {"Posterior": "not annotated"}' in line
    for state in (ClassState.ABSENT, ClassState.NOT_ANNOTATED):
        cases[2] = replace(cases[2], annotation=Annotation({"Posterior": state}))
        assert warnings() == []


def test_voxels_of_a_class_that_nobody_annotated_count_for_the_class_around_it(
    tmp_path: Path,
) -> None:
    unknown = Annotation({"Posterior": ClassState.NOT_ANNOTATED})
    cases = CaseSet(
        (write_case(tmp_path, "a", label_array(), unknown),),
        LABELS,
        includes={"Anterior": ("Posterior",)},
    )
    (check,) = check_cases(cases)
    assert check.voxels == {1: np.count_nonzero(label_array())}


def test_a_class_that_nobody_annotated_anywhere_is_learned_as_the_class_around_it(
    tmp_path: Path,
) -> None:
    unknown = Annotation({"Posterior": ClassState.NOT_ANNOTATED})
    cases = tuple(write_case(tmp_path, name, label_array(), unknown) for name in "abc")
    found = CaseSet(cases, LABELS, includes={"Anterior": ("Posterior",)})
    kept, _ = keep_classes(found, preset_without_resampling(), check_cases(found))
    assert (kept.labels, kept.includes) == ({1: "Anterior"}, {})
    (case, *_) = load(list(kept.cases), LabelSets.of((), kept.labels, {}))
    assert int((case.label == 1).sum()) == np.count_nonzero(label_array())


@pytest.mark.parametrize("includes", [{"Anterior": ("Posterior",)}, {}], ids=["within", "beside"])
@pytest.mark.parametrize("kind", ["segments", "files"])
def test_a_draft_of_a_class_that_nobody_annotated_anywhere_may_have_its_name(
    tmp_path: Path, kind: str, includes: dict[str, tuple[str, ...]]
) -> None:
    """Posterior has a segment, or a file of its own, that `genseg predict` wrote."""
    unknown = Annotation({"Posterior": ClassState.NOT_ANNOTATED})
    label = label_array()

    def named(case: Case) -> Case:
        path, *others = (tmp_path / f"{case.name}{k}.seg.nrrd" for k in range(3))
        if kind == "segments":
            write_label(path, Volume(label[None], np.eye(4)), LABELS)
            return replace(case, label=path)
        for value, file in enumerate(others, 1):
            write_label(file, Volume(np.int16(label == value)[None], np.eye(4)))
        first, second = others
        names = tuple(LABELS.values())
        return replace(case, label=first, further_labels=(second,), label_classes=names)

    cases = tuple(named(write_case(tmp_path, name, label, unknown)) for name in "abc")
    found = CaseSet(cases, LABELS, includes=includes)
    kept, _ = keep_classes(found, preset_without_resampling(), check_cases(found))
    assert kept.labels == {1: "Anterior"}
    stored = CaseSet.from_json(json.loads(json.dumps(kept.to_json())), tmp_path)
    (case, *_) = load(list(stored.cases), LabelSets.of((), kept.labels, {}))
    assert int((case.label == 1).sum()) == np.count_nonzero(label if includes else label == 1)


def test_scribbles_without_any_background_are_a_warning(tmp_path: Path) -> None:
    strokes = Annotation(scribbles=True)
    cases = [write_case(tmp_path, name, label_array(), strokes) for name in "ab"]

    def warnings() -> list[str]:
        found = CaseSet(tuple(cases), LABELS)
        return class_warnings(found, check_cases(found))

    assert warnings() == [NO_BACKGROUND]
    cases[1] = replace(cases[1], annotation=Annotation(only_slices="axial"))
    assert warnings() == [], "other cases have background"


def test_a_healthy_patient_that_says_so_is_learned_from_without_a_warning(tmp_path: Path) -> None:
    empty = np.zeros(SHAPE, np.int16)
    healthy = Annotation(dict.fromkeys(LABELS.values(), ClassState.ABSENT))
    cases = (write_case(tmp_path, "a", label_array()), write_case(tmp_path, "b", empty, healthy))
    checks = check_cases(CaseSet(cases, LABELS))
    assert [check.ok for check in checks] == [True, True]
    assert checks[1].warnings == ()


def test_volumes_of_partly_annotated_cases_are_not_compared(tmp_path: Path) -> None:
    label = label_array()
    cases = [write_case(tmp_path, f"case_{k}", label) for k in range(5)]
    sparse = label.copy()
    sparse[:, :, 3:6] = 0
    cases.append(write_case(tmp_path, "sparse", sparse))
    assert any(
        "has a volume of" in w for w in check_cases(CaseSet(tuple(cases), LABELS))[5].warnings
    )
    cases[5] = replace(cases[5], annotation=Annotation(only_slices="axial"))
    assert check_cases(CaseSet(tuple(cases), LABELS))[5].warnings == ()


def test_a_patient_who_is_said_to_be_healthy_is_not_compared(tmp_path: Path) -> None:
    cases = [write_case(tmp_path, f"case_{k}", label_array()) for k in range(5)]
    healthy = write_case(tmp_path, "healthy", np.zeros_like(label_array()))
    absent = Annotation(dict.fromkeys(LABELS.values(), ClassState.ABSENT))
    cases.append(replace(healthy, annotation=absent))
    assert check_cases(CaseSet(tuple(cases), LABELS))[5].warnings == ()


def test_the_fingerprint_of_single_slices_is_that_of_the_whole() -> None:
    image = np.random.default_rng(0).normal(size=(1, 20, 20, 20)).astype(np.float32)
    label = np.zeros((1, 20, 20, 20), np.int16)
    label[0, 4:16, 6:14, 5:16] = 1
    whole = fingerprint_case(Volume(image, np.eye(4)), Volume(label, np.eye(4))).structures[1]
    label[0, :, :, [k for k in range(20) if k % 5]] = IGNORE
    sparse = fingerprint_case(Volume(image, np.eye(4)), Volume(label, np.eye(4))).structures[1]
    assert sparse.extent_mm == (12.0, 8.0, 11.0) == whole.extent_mm
    assert sparse.largest_component == 1.0
    assert sparse.thickness_mm(2) == pytest.approx(whole.thickness_mm(2))
    assert sparse.faces_mm2[2] == 0, "the border of ignored voxels is no surface"


# evaluation


def test_scores_leave_out_ignored_voxels_and_classes() -> None:
    reference = label_array()
    prediction = reference.copy()
    prediction[:, :, 0] = 1
    spacing = (1.0, 1.0, 1.0)
    full = case_scores(prediction, reference, LABELS, spacing)
    assert full[0].dice < 1
    reference[:, :, 0] = IGNORE
    ours = case_scores(prediction, reference, LABELS, spacing, hidden=[2])
    assert (ours[0].dice, ours[0].hd95_mm, ours[0].surface_dice) == (1.0, 0.0, 1.0)
    assert ours[0].volume_error_ml == 0
    assert all(map(math.isnan, (ours[1].dice, ours[1].hd95_mm, ours[1].volume_error_ml)))


def test_surfaces_of_single_slices_are_their_contours() -> None:
    reference = np.full((20, 20, 9), IGNORE, np.int16)
    reference[:, :, 4] = 0
    reference[5:15, 5:15, 4] = 1
    prediction = np.zeros((20, 20, 9), np.int16)
    prediction[7:17, 5:15, :] = 1
    (score,) = case_scores(prediction, reference, [1], (1.0, 1.0, 5.0))
    assert score.dice == pytest.approx(0.8)
    assert score.hd95_mm == pytest.approx(2.0)
    assert 0 < score.surface_dice < 1
    flat = case_scores(prediction[:, :, 4:5], reference[:, :, 4:5], [1], (1.0, 1.0, 5.0))
    assert score.hd95_mm == flat[0].hd95_mm
    assert score.surface_dice == pytest.approx(flat[0].surface_dice)


def test_the_list_of_the_references_says_what_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases, _ = partly_annotated(tmp_path)
    listed = CaseSet(tuple(cases), LABELS).to_json(tmp_path)
    (tmp_path / "cases.json").write_text(json.dumps(listed), encoding="utf-8")
    predictions = tmp_path / "predictions"
    for case in cases:
        write_label(predictions / f"{case.name}.nii.gz", Volume(label_array()[None], np.eye(4)))
    given = ReferenceList.beside(tmp_path / "labels")
    evaluation = evaluate_folders(predictions, tmp_path / "labels", {}, given=given)
    scores = {case.case: [score.dice for score in case.scores] for case in evaluation.cases}
    assert scores["complete"] == [1.0, 1.0] == scores["sparse"]
    assert scores["one"][0] == 1.0 and math.isnan(scores["one"][1])
    folders = ["--predictions", str(predictions), "--references", str(tmp_path / "labels")]
    assert main(["evaluate", *folders]) == 0
    assert "Posterior  2" in capsys.readouterr().out
