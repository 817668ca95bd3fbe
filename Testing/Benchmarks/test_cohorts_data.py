"""Benchmark cohorts: splits by group, and what a training or nnU-Net is given."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from cohorts_data import (
    COHORTS,
    SHIFTED,
    Cohort,
    cohort_labels,
    dice,
    read_cohort,
    split_cohort,
    write_cases,
    write_nnunet_dataset,
)
from nnunet import DATASET, Schedule, schedule_within

from GenSegLib.cases import Role
from GenSegLib.datasets.layouts import read_cases

LONGEST = Schedule(1000, 250)  # the default of nnU-Net
LABELS = {"0": "background", "1": "Right ventricle", "2": "Myocardium"}


def make_volumes(base: Path, cohort: str, names: list[str], unlabeled: int = 0) -> None:
    """Write empty files with the names of a cohort; splits never read their contents."""
    folder = base / cohort
    for part in ("imagesTr", "labelsTr", "imagesUnlabeled"):
        (folder / part).mkdir(parents=True)
    for name in names:
        (folder / "imagesTr" / f"{name}.nii.gz").touch()
        (folder / "labelsTr" / f"{name}.nii.gz").touch()
    for number in range(unlabeled):
        (folder / "imagesUnlabeled" / f"patient9{number:02d}_frame01.nii.gz").touch()
    training = [
        {"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"}
        for name in names
    ]
    values = {"labels": LABELS, "modality": {"0": "MRI"}, "training": training}
    (folder / "dataset.json").write_text(json.dumps(values), encoding="utf-8")


@pytest.fixture
def hippocampi(tmp_path: Path) -> Path:
    make_volumes(tmp_path, "hippocampus", [f"hippocampus_{k:03d}" for k in range(208)])
    return tmp_path


@pytest.fixture
def hearts(tmp_path: Path) -> Path:
    names = [f"patient{k:03d}_frame0{frame}" for k in range(24) for frame in (1, 2)]
    make_volumes(tmp_path, "cardiac_cine_acdc", names, unlabeled=3)
    return tmp_path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Thirty images of ten patients."""
    folder = tmp_path / "images2d"
    for part in ("images", "masks"):
        (folder / "oct_dukedme" / part).mkdir(parents=True)
    with (folder / "groups.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("set", "image", "group"))
        for k in range(30):
            writer.writerow(("oct_dukedme", f"i{k:02d}", f"p{k // 3}"))
            (folder / "oct_dukedme" / "images" / f"i{k:02d}.jpg").touch()
            (folder / "oct_dukedme" / "masks" / f"i{k:02d}.png").touch()
    return tmp_path


@pytest.mark.parametrize(("seed", "first", "last"), [(0, 12, 172), (1, 186, 37), (2, 154, 168)])
def test_splits_are_the_same_on_every_machine(
    hippocampi: Path, seed: int, first: int, last: int
) -> None:
    split = split_cohort(COHORTS["hippocampus"], 5, seed, hippocampi)
    assert split.labeled[0].name == f"hippocampus_{first:03d}"
    assert split.test[-1].name == f"hippocampus_{last:03d}"
    assert [len(part) for part in (split.labeled, split.unlabeled, split.test)] == [5, 155, 48]


def test_labeled_cases_must_not_reach_into_the_test_cases(hippocampi: Path) -> None:
    with pytest.raises(ValueError, match="161 labeled cases reach into the test cases"):
        split_cohort(COHORTS["hippocampus"], 161, 0, hippocampi)


def test_patients_stay_on_one_side(hearts: Path) -> None:
    cohort = COHORTS["cardiac_cine_acdc"]
    split = split_cohort(cohort, 7, 0, hearts)
    labeled, test = ({case.group for case in part} for part in (split.labeled, split.test))
    assert (len(labeled), len(test), labeled & test) == (7, 12, set())
    assert (len(split.labeled), len(split.test)) == (14, 24)
    unlabeled = {case.group for case in split.unlabeled}
    assert len(unlabeled) == 17 + 3
    assert unlabeled & labeled == set()


def test_test_cohorts_are_tested_whole(tmp_path: Path) -> None:
    make_volumes(tmp_path, "cardiac_lge_mscmr", ["mscmr_04", "mscmr_09"])
    split = split_cohort(COHORTS["cardiac_lge_mscmr"], 0, 0, tmp_path)
    assert (len(split.labeled), len(split.test)) == (0, 2)


def test_images_are_split_by_patient(images: Path) -> None:
    split = split_cohort(COHORTS["oct_dukedme"], 10, 0, images)
    labeled, test = ({case.group for case in part} for part in (split.labeled, split.test))
    assert (len(split.labeled), len(labeled), len(test)) == (10, 4, 3)
    assert labeled & test == set()


def test_missing_data_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="set GENSEG_TEST_DATA"):
        read_cohort(COHORTS["hippocampus"], tmp_path)
    with pytest.raises(FileNotFoundError, match="set GENSEG_TEST_DATA"):
        read_cohort(COHORTS["polyp_kvasir"], tmp_path)


def test_a_training_is_given_no_other_label_than_those_of_its_labeled_cases(
    hearts: Path, tmp_path: Path
) -> None:
    cohort = COHORTS["cardiac_cine_acdc"]
    split = split_cohort(cohort, 7, 0, hearts)
    file = tmp_path / "cases.json"
    write_cases(file, cohort, split, cohort_labels(cohort, hearts), with_unlabeled=True)
    cases = read_cases(file)
    assert {c.name for c in cases.labeled} == {c.name for c in split.labeled}
    unlabeled = cases.of_role(Role.UNLABELED)
    assert {c.name for c in unlabeled} == {c.name for c in split.unlabeled}
    assert cases.labels == {1: "Right ventricle", 2: "Myocardium"}


def test_channels_of_nnunet_folders_are_grouped(tmp_path: Path) -> None:
    make_volumes(tmp_path, "tumors", ["a_0000", "a_0001", "b_0000", "b_0001"])
    values = {"channel_names": {"0": "FLAIR", "1": "T1"}, "labels": {"background": 0, "edema": 2}}
    (tmp_path / "tumors" / "dataset.json").write_text(json.dumps(values), encoding="utf-8")
    cohort = Cohort("tumors", "MR")
    assert [(c.name, len(c.images)) for c in read_cohort(cohort, tmp_path)] == [("a", 2), ("b", 2)]
    assert cohort_labels(cohort, tmp_path) == {"edema": 2}


def test_nnunet_is_given_the_labeled_cases_and_the_images_of_the_test_cases(
    hearts: Path, tmp_path: Path
) -> None:
    cohort = COHORTS["cardiac_cine_acdc"]
    split = split_cohort(cohort, 5, 0, hearts)
    labels = cohort_labels(cohort, hearts)
    folder = write_nnunet_dataset(tmp_path / "raw", cohort, split, labels, DATASET)
    names = {part.name: sorted(f.name for f in part.iterdir()) for part in folder.glob("*T?")}
    assert names["imagesTr"] == sorted(f"{case.name}_0000.nii.gz" for case in split.labeled)
    assert names["labelsTr"] == sorted(f"{case.name}.nii.gz" for case in split.labeled)
    assert names["imagesTs"] == sorted(f"{case.name}_0000.nii.gz" for case in split.test)
    known = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert known["labels"] == {"background": 0, "Right ventricle": 1, "Myocardium": 2}


@pytest.mark.parametrize(
    ("training_s", "iteration_s"), [(36.0, 0.01), (300.0, 3.0), (7200.0, 0.02)]
)
def test_nnunet_uses_its_time_budget(training_s: float, iteration_s: float) -> None:
    schedule = schedule_within(training_s, iteration_s)
    assert schedule.epochs >= 10
    seconds = schedule.epochs * schedule.iterations * iteration_s
    assert 0.9 * training_s < seconds <= training_s or schedule == LONGEST
    assert schedule_within(1e6, 0.01) == LONGEST


def test_dice_merges_label_values() -> None:
    reference = np.array([0, 1, 1, 2, 2, 0])
    prediction = np.array([0, 2, 1, 1, 0, 0])
    assert dice(prediction, reference, (1, 2)) == pytest.approx(2 * 3 / (3 + 4))
    assert np.isnan(dice(np.zeros(3), np.zeros(3), (1,)))


def test_every_shifted_cohort_is_known() -> None:
    assert {name for pair in SHIFTED.items() for name in (pair[0], *pair[1])} <= COHORTS.keys()


def test_classes_that_are_not_asked_for_become_background(hearts: Path, tmp_path: Path) -> None:
    cohort = COHORTS["cardiac_cine_acdc"]
    split = split_cohort(cohort, 5, 0, hearts)
    for case in split.labeled:
        label = SimpleITK.GetImageFromArray(np.arange(3, dtype=np.uint8).reshape(1, 1, 3))
        SimpleITK.WriteImage(label, str(case.label))
    file = tmp_path / "cases.json"
    write_cases(file, cohort, split, {"Myocardium": 2})
    cases = read_cases(file)
    assert cases.labels == {2: "Myocardium"}
    for case in cases.labeled:
        array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(case.label)))
        assert array.flatten().tolist() == [0, 0, 2]
