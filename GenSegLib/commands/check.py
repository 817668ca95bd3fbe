"""`genseg check`: check the cases."""

from __future__ import annotations

import argparse

from ..datasets.persons import find_divided_persons
from ..presets import load_preset
from .options import add_data, read_data

NAME = "check"
SUMMARY = "check every case and report errors before training"
EXAMPLE = """\
  genseg check my-cases --preset hippocampus-mri
  genseg check scans --labels segmentations"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_data(parser, "folder of the cases (Decathlon or nnU-Net layout, or images/ and labels/)")
    parser.add_argument(
        "--preset", metavar="NAME", help="also check that the labels match this preset"
    )


def run(args: argparse.Namespace) -> None:
    """Print a table of the cases; exit with 2 if one has an error."""
    from ..checks.case_check import format_table
    from ..checks.check_cases import check_cases, require_no_errors
    from ..checks.classes import class_warnings, with_classes

    preset = load_preset(args.preset) if args.preset else None
    cases, preset = with_classes(read_data(args), preset)
    checks = check_cases(cases, terminology=preset.terminology if preset else None)
    print(format_table(checks))
    unlabeled = [case.name for case in cases.cases if not case.is_labeled]
    if unlabeled and cases.labeled:
        print(f"{len(unlabeled)} of these have no label, such as {unlabeled[0]}")
    notes = (*cases.notes, *find_divided_persons(cases.cases))
    for warning in (*notes, *class_warnings(cases, checks)):
        print(f"warning: {warning}")
    require_no_errors(checks)
