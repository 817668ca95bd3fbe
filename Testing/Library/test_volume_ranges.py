"""Plausible volumes of structures, and warnings about outliers."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from small_runs import phantom_cases, small_run

from GenSegLib.cases import CaseSet
from GenSegLib.checks.case_check import format_table
from GenSegLib.checks.check_cases import check_cases
from GenSegLib.cli import main
from GenSegLib.data.volume_ranges import find_volume_outliers, plausible_range
from GenSegLib.datasets.image_io import read_label, write_label
from GenSegLib.datasets.layouts import read_cases
from GenSegLib.events import EventLog
from GenSegLib.phantoms import make_cases
from GenSegLib.training.session import load_session

NAMES = {1: "Liver", 2: "Lesion"}


@pytest.mark.parametrize(
    ("known", "plausible"),
    [((2.0, 3.0), (2 / 1.5, 4.5)), ((1.0, 100.0), (0.1, 1000.0)), ((0.0, 5.0), (0.0, math.inf))],
)
def test_the_plausible_range_is_wider_where_cases_differ_more(
    known: tuple[float, float], plausible: tuple[float, float]
) -> None:
    assert plausible_range(*known) == pytest.approx(plausible)


def liver_cases(*volumes: float) -> dict[str, dict[int, float]]:
    return {f"case_{index}": {1: volume} for index, volume in enumerate(volumes)}


def test_a_case_is_compared_with_all_others() -> None:
    found = find_volume_outliers(liver_cases(1000, 1100, 1300, 250, 1200), NAMES)
    (line,) = found.pop("case_3")
    assert "Liver has a volume of 250 ml, in the other cases 1000 ml to 1300 ml" in line
    assert found == {}
    cases = liver_cases(1000, 1100, 1300, 1400) | {"empty": {}}
    assert list(find_volume_outliers(cases, NAMES)) == ["empty"], "a missing structure"


@pytest.mark.parametrize(
    "cases",
    [
        liver_cases(9, 9, 9, 9, 9),
        liver_cases(9, 9, 9, 9) | {"ill": {1: 9, 2: 50}},
        liver_cases(1, 1, 1, 100),
    ],
    ids=["equal", "a structure that most cases lack", "fewer than five cases"],
)
def test_normal_variation_is_not_reported(cases: dict[str, dict[int, float]]) -> None:
    assert find_volume_outliers(cases, NAMES) == {}


@pytest.fixture
def incomplete(tmp_path: Path) -> CaseSet:
    """Six phantoms; in the third, only a few slices are segmented."""
    make_cases(tmp_path / "cases", "hippocampus", 6, seed=3)
    cases = read_cases(tmp_path / "cases")
    path = cases.cases[2].label
    assert path is not None
    label = read_label(path)
    inside = np.flatnonzero(label.array[0].any(axis=(1, 2)))
    label.array[:, inside[len(inside) // 4] :] = 0
    write_label(path, label)
    return cases


def test_checks_and_training_warn_about_an_incomplete_segmentation(
    incomplete: CaseSet, tmp_path: Path
) -> None:
    name = incomplete.cases[2].name
    checks = check_cases(incomplete)
    assert [check.status for check in checks] == ["ok", "ok", "warning", "ok", "ok", "ok"]
    lines = format_table(checks).splitlines()
    assert any(line.startswith(f"{name}: ") for line in lines)
    assert lines[-1] == "6 of 6 cases passed"
    events: list[dict[str, object]] = []
    load_session(small_run(tmp_path / "run", incomplete), EventLog(None, [events.append]))
    warnings = [str(event["text"]) for event in events if event.get("level") == "warning"]
    assert warnings
    assert all(text.startswith(f"case {name}: ") for text in warnings)


def test_regular_cases_cause_no_warning(
    tmp_path: Path, hippocampus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[dict[str, object]] = []
    load_session(small_run(tmp_path / "run", phantom_cases(6)), EventLog(None, [events.append]))
    assert events == []
    assert main(["check", str(hippocampus)]) == 0
    assert " warning" not in capsys.readouterr().out
