"""`genseg forecast`: how many more cases a target Dice takes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ..annotation.folder import FOLDER
from ..annotation.forecast import TARGET, forecast
from ..annotation.records import FILE, CurvePoint, learning_curve, read_records
from ..errors import GenSegError
from ..models.folder import ModelMetadata
from ..runs import RunFolder
from .options import find_model

NAME = "forecast"
SUMMARY = "estimate how many more cases a target Dice takes, from earlier drafts or training runs"
EXAMPLE = """\
  genseg forecast annotation-folder --target 0.85
  genseg forecast runs/cases-5 runs/cases-10 runs/cases-15 runs/cases-20"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "paths",
        metavar="PATHS",
        type=Path,
        nargs="+",
        help=f"{FILE} of an annotation loop or a folder with it, or finished run folders with "
        "different numbers of cases (their validation Dice)",
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
    inside = (path / FILE, path / FOLDER / FILE) if path.is_dir() else (path,)
    file = next((file for file in inside if file.is_file()), None)
    if file is None:
        raise GenSegError(
            f"{path} is neither a run folder nor a folder with {FILE}; check the path"
        )
    found = read_records(file)
    if found.unreadable and not found.records:
        raise GenSegError(f"{file} has no records of drafts; specify {FILE} or run folders")
    if found.unreadable:
        _warn(f"{file}: {found.unreadable} of its lines cannot be read and are left out")
    return learning_curve(found.records)


def _of_run(path: Path) -> CurvePoint:
    metadata = ModelMetadata.load(find_model(path))
    if "dice" not in metadata.validation:
        raise GenSegError(f"{path} was trained without validation cases; leave it out")
    start = metadata.training.started_from
    if start:
        _warn(
            f"{path} started from the model {start}; if that had learned from its validation "
            "cases, its Dice is optimistic"
        )
    return CurvePoint(metadata.cases, metadata.validation["dice"])


def _warn(text: str) -> None:
    print(f"warning: {text}", file=sys.stderr)
