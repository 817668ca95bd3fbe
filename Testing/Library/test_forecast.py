"""Records of corrected drafts, the forecast of further cases, and `genseg forecast`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tiny_models import save_tiny_model

from GenSegLib.annotation.forecast import KINDS, _fit, forecast
from GenSegLib.annotation.records import (
    FILE,
    AnnotationRecord,
    CurvePoint,
    DraftDice,
    append_record,
    learning_curve,
    read_records,
)
from GenSegLib.cli import main
from GenSegLib.errors import GenSegError
from GenSegLib.models.training_record import TrainingRecord

Capture = pytest.CaptureFixture[str]


def drafts(
    count: int, best: float, scatter: float = 0.0, seed: int = 0, slope: float = 0.4
) -> list[CurvePoint]:
    """Drafts along best - slope / n."""
    rng = np.random.default_rng(seed)
    sizes = range(2, 2 + count)
    return [CurvePoint(n, best - slope / n + float(rng.normal(0, scatter))) for n in sizes]


def record(case: str, trained: int, dice: float | None, **changes: object) -> AnnotationRecord:
    return AnnotationRecord(case, trained, dice, trained_cases=trained, **changes)  # type: ignore[arg-type]


def test_a_curve_that_rises_gives_the_number_of_further_cases() -> None:
    found = forecast(drafts(12, 0.95), target=0.93)  # reached at 20 cases, 7 after the 13th
    assert found.kind == "cases"
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 7 <= found.high
    assert found.text == f"about {found.low} to {found.high} more cases to 0.93"


def test_a_target_far_away_gives_a_lower_limit() -> None:
    found = forecast(drafts(6, 0.85), target=0.9)
    assert (found.kind, found.high) == ("cases", None)
    assert found.text == f"at least {found.low} more cases to 0.90"


def test_a_flat_curve_says_that_more_cases_will_hardly_help() -> None:
    flat = [CurvePoint(n, 0.8 + 0.005 * (-1) ** n) for n in range(5, 30)]
    found = forecast(flat)
    assert found.kind == "hardly"
    assert found.text == "more cases will hardly help: drafts stay near a Dice of 0.80"


def test_a_target_that_drafts_exceed_is_reached() -> None:
    assert forecast(drafts(10, 0.97), target=0.85).kind == "reached"


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_drafts_give_no_forecast(count: int) -> None:
    found = forecast(drafts(count, 0.9))
    assert found.kind == "few"
    assert found.text.endswith(f"there are {count} with {count}")
    assert found.curve == []


def test_drafts_of_few_different_models_give_no_forecast() -> None:
    found = forecast([CurvePoint(2, 0.6), *[CurvePoint(3, 0.7)] * 9])
    assert (found.kind, found.text) == (
        "few",
        "a forecast needs 4 drafts or training runs with 3 different numbers of cases; there are "
        "10 with 2",
    )


def test_drafts_that_scatter_give_no_forecast() -> None:
    dice = (0.5, 0.95, 0.6, 0.9, 0.4, 0.97)
    found = forecast([CurvePoint(n, value) for n, value in enumerate(dice, 2)])
    assert found.kind == "unclear"
    assert "varies too much" in found.text


def test_a_curve_that_falls_promises_nothing() -> None:
    found = forecast([CurvePoint(n, 0.9 - 0.05 * (n - 2)) for n in range(2, 11, 2)])
    assert (found.kind, found.low) == ("unclear", None)
    assert "does not rise" in found.text


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("target", [0.9, 0.97, 0.995])
def test_drafts_that_are_nearly_perfect_give_numbers(target: float) -> None:
    points = [CurvePoint(n, 0.8 if n % 2 else 0.99) for n in range(2, 10)]
    fits = [forecast(points, target, seed) for seed in range(5)]
    assert all(each.kind in KINDS for each in fits)
    cases, dice = np.array([2.0, 3, 4, 5]), np.array([[1.02, 0.99, 1.01, 1.0]])
    assert np.isfinite(_fit(cases, dice).cases_to(0.97)).all()


def test_nan_infinite_values_and_points_without_cases_are_left_out() -> None:
    unusable = CurvePoint(4, math.nan), CurvePoint(4, math.inf), CurvePoint(0, 0.5)
    points = [*drafts(12, 0.95), *unusable]
    assert forecast(points, 0.93) == forecast(drafts(12, 0.95), 0.93)


def test_the_interval_contains_the_truth_about_as_often_as_it_says() -> None:
    """80 % of the intervals of an unknown curve with a scatter of 0.02 between cases."""
    truth = 0.8 / (0.92 - 0.85) - 9  # more cases than the 9 of the last draft
    found = [forecast(drafts(8, 0.92, 0.02, seed, slope=0.8), 0.85) for seed in range(60)]
    counted = [each for each in found if each.kind == "cases"]
    hits = [(each.low or 0) - 1 <= truth <= (each.high or math.inf) + 1 for each in counted]
    assert len(counted) >= 20
    assert np.mean(hits) >= 0.75


def test_the_fitted_curve_goes_through_the_drafts() -> None:
    found = forecast(drafts(12, 0.95), target=0.93)
    sizes, dice = zip(*found.curve)
    assert (min(sizes), max(sizes)) == (2, 23)
    assert np.interp(5, sizes, dice) == pytest.approx(0.95 - 0.4 / 5, abs=0.01)


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    first = record("a", 2, 0.7, seconds=61.5, model="round 1", classes={"Liver": 0.7, "Cyst": None})
    second = record("b", 3, None, action="skipped")
    for each in (first, second):
        append_record(tmp_path / FILE, each)
    assert read_records(tmp_path / FILE).records == (first, second)
    assert read_records(tmp_path / "missing").records == ()


def test_a_line_that_a_crash_left_incomplete_costs_nothing_else(tmp_path: Path) -> None:
    append_record(tmp_path / FILE, record("a", 2, 0.7))
    with (tmp_path / FILE).open("ab") as stream:
        stream.write(b'{"case": "b", "nu')
    append_record(tmp_path / FILE, record("c", 3, 0.8))
    found = read_records(tmp_path / FILE)
    assert [each.case for each in found.records] == ["a", "c"]
    assert found.unreadable == 1


@pytest.mark.parametrize(
    "line", [b"[1]", b"\xff\xfe", b'{"case": "a"}', b'{"case": "a", "number": 1, "dice": 7}', b"{}"]
)
def test_other_lines_are_skipped(tmp_path: Path, line: bytes) -> None:
    (tmp_path / FILE).write_bytes(line + b"\n")
    assert read_records(tmp_path / FILE).unreadable == 1


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GenSegError, match="part of the path is a file"):
        append_record(tmp_path / "file" / FILE, record("a", 2, 0.7))


def test_the_curve_takes_the_first_accepted_draft_of_each_case() -> None:
    records = [
        record("a", 2, 0.6),
        record("b", 3, 0.5, action="skipped"),
        record("b", 4, 0.8),
        record("a", 5, 0.99),  # the model has learned from it
        record("c", 6, None),  # drawn without a draft
    ]
    assert learning_curve(records) == [CurvePoint(2, 0.6), CurvePoint(4, 0.8)]


def test_the_dice_of_a_draft_leaves_out_classes_that_neither_has() -> None:
    dice = DraftDice({1: "Liver", 2: "Tumor", 3: "Cyst"})
    for draft, corrected in (([1, 1, 0], [1, 0, 0]), ([0, 2], [0, 0])):
        dice.add(np.array(draft), np.array(corrected))
    mean, by_class = dice.result()
    assert by_class == {"Liver": pytest.approx(2 / 3), "Tumor": 0.0, "Cyst": None}
    assert mean == pytest.approx(1 / 3)
    assert DraftDice({1: "Liver"}).result()[0] is None


def genseg(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_the_command_reads_the_records_of_a_folder(tmp_path: Path, capsys: Capture) -> None:
    for point in drafts(12, 0.95):
        append_record(tmp_path / FILE, record(f"case {point.cases}", point.cases, point.dice))
    assert genseg("forecast", tmp_path, "--target", 0.93, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], len(found["points"])) == ("cases", 12)


def test_the_command_reads_models_of_different_numbers_of_cases(
    tmp_path: Path, capsys: Capture
) -> None:
    from small_runs import small_run

    for count in (4, 6):
        run = small_run(tmp_path / f"run {count}")
        save_tiny_model(run.model, cases=count, validation={"dice": 0.9 - 0.4 / count})
    runs = [tmp_path / f"run {count}" for count in (4, 6)]
    assert genseg("forecast", *runs, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "few"
    assert [cases for cases, _ in found["points"]] == [4, 6]


def test_an_output_folder_stands_for_the_annotation_folder_in_it(
    tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "annotation").mkdir()
    append_record(tmp_path / "annotation" / FILE, record("a", 3, 0.5))
    assert genseg("forecast", tmp_path, "--json") == 0
    assert json.loads(capsys.readouterr().out)["points"] == [[3, 0.5]]


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path, capsys: Capture) -> None:
    append_record(tmp_path / FILE, record("a", 3, 0.5))
    with (tmp_path / FILE).open("a") as stream:
        stream.write("half a li")
    assert genseg("forecast", tmp_path) == 0
    assert "1 of its lines cannot be read" in capsys.readouterr().err


def test_a_file_of_something_else_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "cases.json").write_text("{}")
    assert genseg("forecast", tmp_path / "cases.json") == 2
    assert "cases.json has no records of drafts" in capsys.readouterr().err


def test_the_dice_of_a_warm_start_may_be_too_good(tmp_path: Path, capsys: Capture) -> None:
    from small_runs import small_run

    run = small_run(tmp_path / "second")
    training = TrainingRecord(started_from="first", started_cases=3)
    save_tiny_model(run.model, cases=4, validation={"dice": 0.9}, training=training)
    assert genseg("forecast", run.path) == 0
    assert "second started from the model first" in capsys.readouterr().err


def test_a_missing_path_is_named(tmp_path: Path, capsys: Capture) -> None:
    assert genseg("forecast", tmp_path / "nowhere") == 2
    assert "nowhere is neither a run folder" in capsys.readouterr().err
