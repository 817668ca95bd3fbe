"""`genseg synthesize`: the generated pairs of a run, to look at or to train elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import GenSegError
from ..outputs import output_folder
from ..runs import RunFolder
from .options import add_events, add_out, add_seed, watch

VERB = "synthesize"
SUMMARY = "write volumes that a run's generator makes, with their segmentations"
EXAMPLE = "  genseg synthesize runs/first --count 20 --out generated"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="run folder")
    add_out(parser, "folder for the images and their segmentations")
    parser.add_argument(
        "--count", metavar="NUMBER", type=int, default=10, help="pairs to make (default: 10)"
    )
    add_seed(parser)
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Write the pairs."""
    if args.count < 1:
        raise GenSegError(f"--count {args.count} must be 1 or more")
    run_folder = RunFolder.open(args.run_folder)
    with output_folder(args.out, args.overwrite) as folder, watch(args) as events:
        from ..training.synthesis import synthesize

        synthesize(run_folder, folder, args.count, args.seed, events)
    print(f"{args.count} generated pairs are in {args.out}")
