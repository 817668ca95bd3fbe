"""`genseg evaluate`: compare predictions with reference segmentations."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GenSegError
from ..files import read_json
from ..runs import RunFolder
from .options import add_events, add_out, find_model, open_event_log

if TYPE_CHECKING:
    from ..evaluation.reference_list import ReferenceList

NAME = "evaluate"
SUMMARY = "compare segmentations with reference ones: Dice, HD95, surface Dice, volume"
EXAMPLE = """\
  genseg evaluate --predictions predictions --references my-cases/labelsTs
  genseg evaluate --predictions predictions --references truth --out scores.csv
  genseg evaluate --predictions predictions --references truth --report runs/first"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--predictions", metavar="FOLDER", type=Path, required=True, help="predicted segmentations"
    )
    parser.add_argument(
        "--references",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="reference segmentations with the same file names",
    )
    parser.add_argument(
        "--model", metavar="MODEL", type=Path, help="run or model folder that names the labels"
    )
    parser.add_argument(
        "--report",
        metavar="RUN",
        type=Path,
        help="add the scores, the best and the worst case to this run's report.html",
    )
    add_out(parser, "output table (.csv); a .json file is written next to it", required=False)
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Print the scores, and write the table and the report if requested."""
    from ..evaluation.evaluate import evaluate_folders

    run_folder = RunFolder.open(args.report) if args.report else None
    table = _table_path(args)
    with open_event_log(args) as events:
        labels, given = _given(args)
        folders = args.predictions, args.references
        evaluation = evaluate_folders(*folders, labels, events, given)
    print(evaluation.table())
    if table is not None:
        evaluation.write(table, table.with_suffix(".json"))
        print(f"Scores: {table} and {table.with_suffix('.json').name}")
    if run_folder is not None and table is not None:
        _write_report(run_folder, table, args)


def _table_path(args: argparse.Namespace) -> Path | None:
    """Return the CSV file to write, by default in the run folder of the report."""
    if args.out is None:
        return args.report / "scores.csv" if args.report else None
    if args.out.suffix != ".csv":
        raise GenSegError(f"--out {args.out} must end with .csv")
    summary = args.out.with_suffix(".json")
    for path in (args.out, summary):
        if path.exists() and not args.overwrite:
            raise GenSegError(f"{path} already exists; choose another --out or add --overwrite")
    if summary.exists() and "label_means" not in read_json(summary):
        raise GenSegError(f"{summary} does not contain scores; choose another --out")
    return Path(args.out)


def _given(args: argparse.Namespace) -> tuple[dict[int, str], ReferenceList]:
    """Return the classes of the model or the run, if one is given, and what the references are.

    A list of cases with or above the references names their values and says what was annotated.
    """
    from ..evaluation.reference_list import ReferenceList
    from ..models.folder import ModelMetadata

    found = ReferenceList.beside(args.references)
    model = args.model or args.report
    if model is None:
        return {}, found
    metadata = ModelMetadata.load(find_model(model))
    terminology = metadata.preset.terminology
    return metadata.labels, replace(found, includes=metadata.includes, terminology=terminology)


def _write_report(run_folder: RunFolder, table: Path, args: argparse.Namespace) -> None:
    from ..reports import write_report

    print(f"Report: {write_report(run_folder, table, args.predictions, args.references)}")
