"""The low-data benchmark: its splits, its tables, and what is made of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from calibration import Histogram, case_histogram
from low_data import run_jobs
from low_data_parts.conditions import Conditions
from low_data_parts.goals import goals, labels_needed
from low_data_parts.jobs import Job
from low_data_parts.nnunet_data import DATASET, write_dataset
from low_data_parts.nnunet_schedule import DEFAULT, FOLDS, schedule_within
from low_data_parts.plan import LABELED, SEEDS, chosen_plan, full_plan, reduced_plan
from low_data_parts.report import write_report
from low_data_parts.summary import Summary
from low_data_parts.tables import SCORES, Row, put_rows, read_table
from protocol import TEST_CASES, split_cases, write_cases
from resumable import trained_seconds

from GenSegLib.cases import Case, CaseSet, Role
from GenSegLib.data.layouts import read_cases

NAMES = [f"hippocampus_{number:03d}" for number in range(208)]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("labeled", LABELED)
def test_no_case_is_in_two_parts_of_a_split(labeled: int, seed: int) -> None:
    split = split_cases(NAMES, labeled, seed)
    parts = (split.labeled, split.unlabeled, split.test)
    assert [len(part) for part in parts] == [labeled, 160 - labeled, TEST_CASES]
    assert sorted(name for part in parts for name in part) == NAMES


@pytest.mark.parametrize(
    ("seed", "first", "last"), [(0, 12, 172), (1, 186, 37), (2, 154, 168)], ids=["0", "1", "2"]
)
def test_the_splits_are_the_same_on_every_machine(seed: int, first: int, last: int) -> None:
    split = split_cases(list(reversed(NAMES)), 5, seed)
    assert (split.labeled[0], split.test[-1]) == (NAMES[first], NAMES[last])


def test_the_labeled_cases_are_those_that_genseg_draws_itself() -> None:
    cases = CaseSet(tuple(Case(name, Path(name), Path(name)) for name in NAMES))
    drawn = {case.name for case in cases.low_data(10, 1).cases}
    assert drawn == set(split_cases(NAMES, 10, 1).labeled)


def phantom_names() -> list[str]:
    return [f"hippocampus_{number:03d}" for number in range(1, 8)]


def test_a_training_is_given_no_label_but_those_of_its_labeled_cases(
    phantoms: Path, tmp_path: Path
) -> None:
    split = split_cases(phantom_names(), 3, 0, test_cases=2)
    write_cases(tmp_path / "cases.json", phantoms, split, with_unlabeled=True)
    cases = read_cases(tmp_path / "cases.json")
    with_label = {case.name for case in cases.cases if case.label is not None}
    assert with_label == set(split.labeled)
    assert {case.name for case in cases.of_role(Role.UNLABELED)} == set(split.unlabeled)


def test_nnunet_is_given_the_labeled_cases_and_the_images_of_the_test_cases(
    phantoms: Path, tmp_path: Path
) -> None:
    split = split_cases(phantom_names(), 5, 0, test_cases=2)
    folder = write_dataset(tmp_path, phantoms, split)
    assert folder == tmp_path / DATASET
    names = {part: sorted(path.name for path in (folder / part).iterdir()) for part in _PARTS}
    assert names["imagesTr"] == [f"{name}_0000.nii.gz" for name in sorted(split.labeled)]
    assert names["labelsTr"] == [f"{name}.nii.gz" for name in sorted(split.labeled)]
    assert names["imagesTs"] == [f"{name}_0000.nii.gz" for name in sorted(split.test)]
    known = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    assert known["labels"] == {"background": 0, "Anterior": 1, "Posterior": 2}
    assert known["numTraining"] == 5


_PARTS = ("imagesTr", "labelsTr", "imagesTs")


@pytest.mark.parametrize(("fold_s", "iteration_s"), [(36.0, 0.01), (300.0, 3.0), (7200.0, 0.02)])
def test_nnunet_trains_as_long_as_it_may(fold_s: float, iteration_s: float) -> None:
    schedule = schedule_within(fold_s, iteration_s)
    assert schedule.epochs >= 10
    takes = schedule.epochs * schedule.iterations * iteration_s
    assert 0.9 * fold_s < takes <= fold_s or schedule == DEFAULT
    assert schedule.steps == FOLDS * schedule.epochs * schedule.iterations


def test_nnunet_never_trains_longer_than_by_default() -> None:
    assert schedule_within(1e6, 0.01) == DEFAULT


def test_the_reduced_form_is_a_part_of_the_full_one() -> None:
    full = full_plan()
    assert set(reduced_plan()) < set(full)
    assert len(full) == len(set(full))


def test_with_all_cases_labeled_no_arm_learns_from_unlabeled_ones() -> None:
    jobs = chosen_plan(["dynunet"], ["semi-supervised", "genseg+unlabeled"], [160], [0])
    assert jobs == []


def rows_of(dice: Sequence[float]) -> list[Row]:
    scores = {"hd95_mm": "1.5", "surface_dice": "0.9"}
    return [
        {"case": f"case_{k}", "label": "1", "dice": str(value), **scores}
        for k, value in enumerate(dice)
    ]


def fill(table: Path) -> None:
    """Scores of all seeds in which genseg is 0.1 ahead of plain, and plain learns from labels."""
    for seed in SEEDS:
        for labeled, plain in ((5, 0.6), (10, 0.7), (160, 0.85)):
            dice = plain + 0.01 * seed + np.linspace(-0.01, 0.01, 12)
            put_rows(table, SCORES, Job("dynunet", "plain", labeled, seed), rows_of(dice))
            put_rows(table, SCORES, Job("dynunet", "genseg", labeled, seed), rows_of(dice + 0.1))


def test_tables_and_plots_come_from_the_scores_alone(tmp_path: Path) -> None:
    fill(tmp_path / "low_data.csv")
    text = write_report(tmp_path)
    assert "| dynunet | genseg | 10 | 0, 1, 2 | 0.8100 ± 0.0100 |" in text
    assert "| dynunet | 10 | plain | 36 | +0.1000 | 36 |" in text
    assert (tmp_path / "low_data.md").read_text(encoding="utf-8") == text
    dice = ElementTree.parse(tmp_path / "low_data_dice.svg").getroot()
    assert len(dice.findall(".//{*}polyline")) == 2
    differences = ElementTree.parse(tmp_path / "low_data_differences.svg").getroot()
    assert len(differences.findall(".//{*}circle")) == 3 * 36


@pytest.mark.parametrize(("dice", "lines"), [(0.1, 2), (0.8, 3)], ids=["far below", "among them"])
def test_the_plots_keep_their_scale_where_nnunet_is_far_below(
    tmp_path: Path, dice: float, lines: int
) -> None:
    fill(tmp_path / "low_data.csv")
    for seed in SEEDS:
        job = Job("3d_fullres", "nnunet", 10, seed)
        put_rows(tmp_path / "low_data.csv", SCORES, job, rows_of([dice] * 12))
    write_report(tmp_path)
    plot = ElementTree.parse(tmp_path / "low_data_dice.svg").getroot()
    assert len(plot.findall(".//{*}polyline")) == lines
    differences = (tmp_path / "low_data_differences.svg").read_text(encoding="utf-8")
    assert ("beyond: nnunet, N=10: +0.7100" in differences) == (lines == 2)


def test_another_network_alone_has_a_table_too(tmp_path: Path) -> None:
    put_rows(tmp_path / "low_data.csv", SCORES, Job("unetr", "genseg", 10, 0), rows_of([0.8]))
    assert "| unetr | genseg | 10 | 0 | 0.8000 |" in write_report(tmp_path)


def test_the_same_scores_give_the_same_report(tmp_path: Path) -> None:
    fill(tmp_path / "low_data.csv")
    first, copy = write_report(tmp_path), tmp_path / "copy"
    copy.mkdir()
    shutil.copy(tmp_path / "low_data.csv", copy)
    assert write_report(copy) == first


def test_without_scores_all_goals_are_open(tmp_path: Path) -> None:
    assert {goal.reached for goal in goals(Summary([]), None)} == {None}
    assert "| open | not measured |" in write_report(tmp_path)


def test_a_goal_is_reached_where_the_scores_say_so(tmp_path: Path) -> None:
    fill(tmp_path / "low_data.csv")
    found = {
        goal.text: goal for goal in goals(Summary(read_table(tmp_path / "low_data.csv")), 0.01)
    }
    assert found["N = 10: genseg at least 0.06 above plain, p < 0.01"].reached
    efficiency = found["genseg with N = 10 reaches plain with N = 160"]
    assert efficiency.reached is False
    assert "6.3 times" in efficiency.found
    assert found["under another scanner: genseg at least 0.02 above augmented"].reached is False


def test_a_goal_is_open_as_long_as_a_seed_is_missing(tmp_path: Path) -> None:
    table = tmp_path / "low_data.csv"
    for arm, dice in (("plain", 0.6), ("genseg", 0.9)):
        put_rows(table, SCORES, Job("dynunet", arm, 10, 0), rows_of([dice] * 12))
    [goal] = [g for g in goals(Summary(read_table(table)), None) if "plain, p" in g.text]
    assert goal.reached is None
    assert goal.found.startswith("so far, 1 of 3 seeds: +0.3000")


@pytest.mark.parametrize(
    ("dice", "needed"),
    [(0.5, 5.0), (0.75, 20.0), (0.7, 10.0), (0.95, None)],
    ids=["the fewest do", "between two", "at one", "more than measured"],
)
def test_the_labels_that_a_dice_needs_are_interpolated(dice: float, needed: float | None) -> None:
    found = labels_needed(dice, {5: 0.6, 10: 0.7, 40: 0.8})
    assert found == (needed if needed is None else pytest.approx(needed))


def test_a_job_whose_scores_are_there_is_not_run_again(tmp_path: Path) -> None:
    def refuse(command: Sequence[object]) -> tuple[float, float]:
        raise AssertionError(command)

    job = Job("dynunet", "plain", 5, 0)
    put_rows(tmp_path / "low_data.csv", SCORES, job, rows_of([0.5]))
    conditions = Conditions(tmp_path, tmp_path, tmp_path, device="cpu", train=refuse)
    assert run_jobs([job], conditions) == []


def test_a_jobs_rows_replace_its_earlier_ones_and_leave_the_others(tmp_path: Path) -> None:
    table = tmp_path / "low_data.csv"
    first, second = Job("dynunet", "plain", 5, 0), Job("dynunet", "genseg:spade", 5, 0)
    put_rows(table, SCORES, first, rows_of([0.1, 0.2]))
    put_rows(table, SCORES, second, rows_of([0.3]))
    put_rows(table, SCORES, first, rows_of([0.4]))
    found = {(row["arm"], row["dice"]) for row in read_table(table)}
    assert found == {("plain", "0.4"), ("genseg:spade", "0.3")}


def test_the_time_between_interruptions_does_not_count() -> None:
    times = [(0, "running"), (7, None), (100, "running"), (105, "finished")]
    events = [{"time": time, **({"state": state} if state else {})} for time, state in times]
    assert trained_seconds(events) == 12


def test_probabilities_that_are_what_they_say_have_no_calibration_error() -> None:
    sure = np.repeat([0.75, 0.55], 400)
    right = np.concatenate([np.arange(400) % 4 > 0, np.arange(400) % 20 < 11])
    assert Histogram.of(sure, right).error == pytest.approx(0)
    assert Histogram.of(np.ones(100), np.arange(100) < 60).error == pytest.approx(0.4)


def test_calibration_is_measured_around_the_reference_alone() -> None:
    reference = np.zeros((40, 40, 40), np.int16)
    reference[18:22, 18:22, 18:22] = 2
    shares = np.zeros((2, 40, 40, 40))
    shares[0] = 1
    found = case_histogram(shares, (0, 2), reference, (1.0, 1.0, 2.0))
    assert found.voxels.sum() == 12 * 12 * 8
    assert found.error == pytest.approx(64 / (12 * 12 * 8))
