"""Volumes that nobody wonders at, and cases that are odd among others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from small_runs import phantom_cases, small_run

from GenSegLib.cases import CaseSet
from GenSegLib.cli import main
from GenSegLib.data.checks import check_cases, format_table
from GenSegLib.data.layouts import read_cases
from GenSegLib.data.volume_ranges import find_odd_cases, sound_range
from GenSegLib.events import EventLog
from GenSegLib.images.image_io import Volume, read_label, write_label
from GenSegLib.phantoms import make_cases
from GenSegLib.training.session import load_session

NAMES = {1: "Liver", 2: "Lesion"}


@pytest.mark.parametrize(
    ("known", "sound"),
    [((2.0, 3.0), (2 / 1.5, 4.5)), ((1.0, 100.0), (0.1, 1000.0)), ((0.0, 5.0), (0.0, math.inf))],
)
def test_the_range_is_wider_where_cases_differ_more(
    known: tuple[float, float], sound: tuple[float, float]
) -> None:
    assert sound_range(*known) == pytest.approx(sound)


def cases_of(*livers: float) -> dict[str, dict[int, float]]:
    return {f"case_{place}": {1: volume} for place, volume in enumerate(livers)}


def test_a_case_is_held_to_all_others() -> None:
    found = find_odd_cases(cases_of(1000, 1100, 1300, 250, 1200), NAMES)
    (line,) = found.pop("case_3")
    assert "Liver takes 250 ml, in the other cases 1000 ml to 1300 ml" in line
    assert found == {}


def test_a_structure_that_all_others_have_is_missed() -> None:
    cases = cases_of(1000, 1100, 1300, 1400) | {"empty": {}}
    assert list(find_odd_cases(cases, NAMES)) == ["empty"]


def test_equal_volumes_and_what_few_cases_have_are_no_wonder() -> None:
    assert find_odd_cases(cases_of(9, 9, 9, 9, 9), NAMES) == {}
    assert find_odd_cases(cases_of(9, 9, 9, 9) | {"ill": {1: 9, 2: 50}}, NAMES) == {}


def test_too_few_cases_tell_nothing() -> None:
    assert find_odd_cases(cases_of(1, 1, 1, 100), NAMES) == {}


@pytest.fixture
def half_drawn(tmp_path: Path) -> CaseSet:
    """Six phantoms, of the third of which a few slices are segmented alone."""
    make_cases(tmp_path / "cases", "hippocampus", 6, seed=3)
    cases = read_cases(tmp_path / "cases")
    path = cases.cases[2].label
    assert path is not None
    label = read_label(path)
    drawn = np.zeros_like(label.array)
    inside = np.flatnonzero(label.array[0].any(axis=(1, 2)))
    part = (slice(None), slice(inside[0], inside[len(inside) // 4]))
    drawn[part] = label.array[part]
    write_label(path, Volume(drawn, label.affine))
    return cases


def test_checks_tell_of_a_case_that_is_half_drawn_and_let_it_pass(half_drawn: CaseSet) -> None:
    checks = check_cases(half_drawn)
    assert [check.verdict for check in checks] == ["ok", "ok", "odd", "ok", "ok", "ok"]
    lines = format_table(checks).splitlines()
    assert any(line.startswith(f"{checks[2].case}: ") for line in lines)
    assert lines[-1] == "6 of 6 cases are sound"


def test_a_training_warns_of_it(half_drawn: CaseSet, tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    load_session(small_run(tmp_path / "run", half_drawn), EventLog(None, [told.append]))
    warnings = [str(event["text"]) for event in told if event.get("level") == "warning"]
    assert warnings
    assert all(text.startswith(f"case {half_drawn.cases[2].name}: ") for text in warnings)


def test_sound_cases_bring_no_warning(tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    load_session(small_run(tmp_path / "run", phantom_cases(6)), EventLog(None, [told.append]))
    assert told == []


def test_real_cases_are_not_odd(hippocampus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(hippocampus)]) == 0
    assert " odd" not in capsys.readouterr().out
