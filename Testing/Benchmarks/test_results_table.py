"""The results table: resumable appends, and statistics over seeds and cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from results_table import ResultsTable, bootstrap, compare, markdown, standard_error, summarize


def job_rows(
    arm: str, seed: int, dice: Sequence[float], label: str = "1", **extra: object
) -> list[dict[str, object]]:
    common = {"train": "a", "test": "b", "arm": arm, "encoder": "unet", "labeled": 10}
    return [
        {**common, "seed": seed, "case": f"case_{k}", "label": label, "dice": value,
         "train_seconds": 60.0, **extra}
        for k, value in enumerate(dice)
    ]  # fmt: skip


def test_a_finished_job_is_found_again(tmp_path: Path) -> None:
    table = ResultsTable(tmp_path / "results" / "a.csv")
    assert not table.has(arm="genseg", seed=0)
    table.append(job_rows("genseg", 0, [0.5]))
    assert table.has(arm="genseg", seed=0)
    assert not table.has(arm="genseg", seed=1)
    assert not table.has(arm="plain", seed=0)


def test_appending_replaces_the_rows_of_the_same_job_only(tmp_path: Path) -> None:
    table = ResultsTable(tmp_path / "a.csv")
    table.append(job_rows("plain", 0, [0.1, 0.2]))
    table.append(job_rows("genseg", 0, [0.3], commit="abc"))
    table.append(job_rows("plain", 0, [0.4]))
    found = {(row["arm"], row["dice"], row["commit"]) for row in table.rows()}
    assert found == {("plain", "0.4", ""), ("genseg", "0.3", "abc")}


def test_a_row_without_a_column_is_refused(tmp_path: Path) -> None:
    [row] = job_rows("plain", 0, [0.1])
    del row["train_seconds"]
    with pytest.raises(ValueError, match="row without train_seconds"):
        ResultsTable(tmp_path / "a.csv").append([row])
    assert not (tmp_path / "a.csv").exists()


def test_a_summary_averages_labels_then_cases_then_seeds() -> None:
    rows = [
        *job_rows("genseg", 0, [0.8, 0.6], "1"),
        *job_rows("genseg", 0, [0.4, float("nan")], "2"),  # the second case lacks this label
        *job_rows("genseg", 1, [0.9]),
    ]
    [summary] = summarize(rows)
    assert summary.by_seed == pytest.approx({0: 0.6, 1: 0.9})
    assert summary.mean == pytest.approx(0.75)
    assert summary.standard_error == pytest.approx(0.15)
    assert summary.low <= summary.mean <= summary.high


def test_one_seed_has_no_standard_error() -> None:
    assert np.isnan(standard_error({0: 0.5}))


def test_arms_are_compared_on_the_cases_that_both_have() -> None:
    rows = [
        *job_rows("genseg", 0, [0.8, 0.7, 0.6]),
        *job_rows("genseg", 1, [0.9, 0.9, 0.9]),
        *job_rows("plain", 0, [0.7, 0.6]),
        *job_rows("plain", 1, [0.9, 0.8, 0.8]),
    ]
    [pair] = compare(rows, "genseg", "plain")
    assert pair.cases == 5
    assert pair.better_in == 4
    assert pair.gain == pytest.approx((0.1 + 0.2 / 3) / 2)


def test_the_bootstrap_interval_covers_the_mean_and_shrinks_with_cases() -> None:
    values = np.random.default_rng(1).normal(0.8, 0.1, 400)
    few = bootstrap({(0, str(k)): value for k, value in enumerate(values[:20])})
    many = bootstrap({(0, str(k)): value for k, value in enumerate(values)})
    assert few[0] < values[:20].mean() < few[1]
    assert many[1] - many[0] < few[1] - few[0]


def test_the_markdown_table_names_every_arm_and_gain() -> None:
    rows = [*job_rows("genseg", 0, [0.8, 0.9]), *job_rows("plain", 0, [0.7, 0.8])]
    text = markdown(rows, against="plain")
    assert "| a → b | unet | 10 | genseg | 1 | 0.8500 ± nan |" in text
    assert "| a → b | unet | 10 | genseg | +0.1000 ± nan | +0.1000 to +0.1000 | 2 of 2 |" in text


def test_trainings_on_other_numbers_of_cores_have_rows_of_their_own() -> None:
    rows = [{**row, "cores": cores} for row in job_rows("genseg", 0, [0.8]) for cores in (1, 2)]
    text = markdown(rows)
    assert "a → b (cores: 1) |" in text and "a → b (cores: 2) |" in text
