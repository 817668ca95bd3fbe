"""`genseg evaluate`: how good are segmentations?"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..data.layouts import read_label_names
from ..errors import GenSegError
from ..files import read_json
from ..runs import RunFolder
from .options import add_events, add_out, find_model, watch

VERB = "evaluate"
SUMMARY = "compare segmentations with reference ones: Dice, HD95, surface Dice, volume"
EXAMPLE = """\
  genseg evaluate --predictions predictions --references my-cases/labelsTs
  genseg evaluate --predictions predictions --references truth --out scores.csv
  genseg evaluate --predictions predictions --references truth --report runs/first"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--predictions", metavar="FOLDER", type=Path, required=True, help="what a model segmented"
    )
    parser.add_argument(
        "--references",
        metavar="FOLDER",
        type=Path,
        required=True,
        help="what a person segmented, with the same file names",
    )
    parser.add_argument(
        "--model", metavar="MODEL", type=Path, help="run or model folder, for the labels' names"
    )
    parser.add_argument(
        "--report",
        metavar="RUN",
        type=Path,
        help="write the scores into this run's report.html too, with the best and the worst case",
    )
    add_out(parser, "table to write as .csv, with the same as .json beside it", required=False)
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Print the scores, and write them where that is asked for."""
    from ..evaluation.evaluate import evaluate_folders

    run_folder = RunFolder.open(args.report) if args.report else None
    table = _table_path(args)
    labels = _labels(args)
    with watch(args) as events:
        evaluation = evaluate_folders(args.predictions, args.references, labels, events)
    print(evaluation.table())
    if table is not None:
        evaluation.write(table, table.with_suffix(".json"))
        print(f"The scores are in {table} and {table.with_suffix('.json').name}")
    if run_folder is not None and table is not None:
        _write_report(run_folder, table, args)


def _table_path(args: argparse.Namespace) -> Path | None:
    """Give the CSV file to write; a report keeps its scores in the run folder."""
    if args.out is None:
        return args.report / "scores.csv" if args.report else None
    if args.out.suffix != ".csv":
        raise GenSegError(f"--out {args.out} must end with .csv")
    for path in (args.out, args.out.with_suffix(".json")):
        if path.exists() and not args.overwrite:
            raise GenSegError(f"{path} exists already; choose another --out or add --overwrite")
    summary = args.out.with_suffix(".json")
    if summary.exists() and "label_means" not in read_json(summary):
        raise GenSegError(f"{summary} holds no scores and is left alone; choose another --out")
    return Path(args.out)


def _labels(args: argparse.Namespace) -> dict[int, str]:
    """Find the names of the labels: in the model, the run, or the list beside the references."""
    from ..models.folder import ModelMetadata

    model = args.model or args.report
    if model is not None:
        return dict(ModelMetadata.load(find_model(model)).labels)
    return read_label_names(args.references.parent / "dataset.json")


def _write_report(run_folder: RunFolder, table: Path, args: argparse.Namespace) -> None:
    from ..reports import write_report

    report = write_report(run_folder, table, args.predictions, args.references)
    print(f"The report is {report}")
