"""The derived cohort's results: one seed after the other, on any day."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import derived_cohort
import pytest
from derived_cohort import COLUMNS, Training, earlier, scores, summary

ASKED = {"cases": 60, "segmenter": None}


IMAGES = (
    ("unseen", "a", 0.0),
    ("unseen", "b", 0.1),
    ("real-ct", "ct", 0.0),
    ("real-mr", "mr", 0.0),
)
ROWS = [
    dict(zip(COLUMNS, (arm, seed, name, case, first + more + 0.1 * seed)))
    for seed in (0, 1)
    for arm, first in (("genseg", 0.8), ("no-generator", 0.7))
    for name, case, more in IMAGES
]
TRAININGS: list[Training] = [
    {"arm": arm, "seed": seed, "train_s": 60.0} for arm in derived_cohort.ARMS for seed in (0, 1)
]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of two seeds on disk."""
    monkeypatch.setattr(derived_cohort, "RESULTS", tmp_path)
    found = {**summary(ROWS, TRAININGS), **ASKED}
    (tmp_path / "derived_cohort.json").write_text(json.dumps(found))
    with (tmp_path / "derived_cohort.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(ROWS)


def test_what_is_not_trained_again_stays(results: None) -> None:
    rows, trainings = earlier(ASKED, {("genseg", 1)})
    assert [(each["arm"], each["seed"]) for each in trainings] == [
        ("genseg", 0),
        ("no-generator", 0),
        ("no-generator", 1),
    ]
    assert {(each["arm"], each["seed"]) for each in rows} == {
        ("genseg", "0"),
        ("no-generator", "0"),
        ("no-generator", "1"),
    }


def test_results_of_something_else_are_not_mixed_in(results: None) -> None:
    assert earlier({**ASKED, "segmenter": "unet"}, set()) == ([], [])


def test_arms_are_compared_over_all_seeds_and_in_each() -> None:
    found = summary(ROWS, TRAININGS)["genseg_against"]
    assert isinstance(found, dict)
    tests = {name: each["no-generator"] for name, each in found.items()}
    assert {name: test["cases"] for name, test in tests.items()} == {"all seeds": 4, 0: 2, 1: 2}
    assert {test["mean_gain"] for test in tests.values()} == {0.1}


def test_scores_are_means_of_seeds_and_the_least_case() -> None:
    genseg = [each for each in ROWS if each["arm"] == "genseg"]
    assert scores(genseg, "unseen") == {"dice": 0.9, "seeds": {0: 0.85, 1: 0.95}, "least": 0.8}
