"""`genseg forecast`: how many more cases a target Dice takes."""

from __future__ import annotations

import argparse
import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path

from ..annotation.forecast import TARGET, forecast
from ..annotation.records import FILE, CurvePoint, learning_curve, read_records
from ..errors import GenSegError
from ..files import decode_text
from ..models.folder import ModelMetadata
from ..runs import RunFolder
from .options import find_model

NAME = "forecast"
SUMMARY = "estimate how many more cases a target Dice takes, from earlier drafts or trainings"
EXAMPLE = """\
  genseg forecast annotation-folder
  genseg forecast drafts.csv --target 0.85
  genseg forecast runs/cases-5 runs/cases-10 runs/cases-15 runs/cases-20"""

_OF_A_DRAFT = ("case", "task", "arm", "seed")  # rows of its classes agree in these columns
_CASE_COLUMNS = ("cases", "trained_cases", "labeled", "number")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "paths",
        metavar="RUNS_OR_CSV",
        type=Path,
        nargs="+",
        help=f"{FILE} of an annotation loop or the folder with it, a table with the columns cases "
        "and dice, or finished run folders with different numbers of cases (their validation Dice)",
    )
    parser.add_argument(
        "--target", metavar="DICE", type=float, default=TARGET, help=f"default: {TARGET}"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> None:
    """Print the forecast."""
    if not 0 < args.target < 1:
        raise GenSegError("--target must be a Dice above 0 and below 1")
    points = [point for path in args.paths for point in _read(path)]
    found = forecast(points, args.target)
    print(json.dumps(found.to_json(), indent=2) if args.json else found.text)


def _read(path: Path) -> list[CurvePoint]:
    if RunFolder.is_run(path):
        return [_of_run(path)]
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise GenSegError(
            f"{path} is neither a run folder, nor a table, nor a folder with {FILE}; check the path"
        )
    if file.suffix == ".csv":
        return _of_table(file)
    return learning_curve(read_records(file).records)


def _of_run(path: Path) -> CurvePoint:
    metadata = ModelMetadata.load(find_model(path))
    if "dice" not in metadata.validation:
        raise GenSegError(f"{path} was trained without validation cases; leave it out")
    return CurvePoint(metadata.cases, metadata.validation["dice"])


def _of_table(file: Path) -> list[CurvePoint]:
    rows = list(csv.DictReader(decode_text(file.read_bytes()).splitlines()))
    columns = set(rows[0]) if rows else set()
    number = next((name for name in _CASE_COLUMNS if name in columns), None)
    if number is None or "dice" not in columns:
        raise GenSegError(f"{file} must have the columns cases and dice; rename its columns")
    drafts: dict[tuple[str | None, ...], list[CurvePoint]] = {}
    for index, row in enumerate(rows):
        point = _parse(row, number)
        if point is not None:
            key = tuple(row.get(name) for name in _OF_A_DRAFT) if "case" in columns else ()
            drafts.setdefault((row[number], *(key or (str(index),))), []).append(point)
    return [
        CurvePoint(points[0].cases, sum(point.dice for point in points) / len(points))
        for points in drafts.values()
    ]


def _parse(row: Mapping[str, str | None], number: str) -> CurvePoint | None:
    """Return the point of a row; None where it has no Dice."""
    try:
        point = CurvePoint(int(float(row[number] or "nan")), float(row["dice"] or "nan"))
    except ValueError:
        return None
    return point if math.isfinite(point.dice) else None
