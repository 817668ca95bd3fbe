"""`genseg phantom`: synthetic cases."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..outputs import output_folder
from .options import add_seed

NAME = "phantom"
SUMMARY = "generate synthetic labeled images to try GenSeg without data"
EXAMPLE = """\
  genseg phantom my-phantoms --anatomy hippocampus --cases 12 --seed 1
  genseg phantom my-photos --anatomy skin --cases 20"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("out", metavar="OUT", type=Path, help="output folder")
    parser.add_argument(
        "--anatomy",
        choices=("hippocampus", "skin", "ultrasound"),
        default="hippocampus",
        help="crops of brain MRI, photos of skin lesions, or ultrasound of the breast "
        "(default: hippocampus)",
    )
    parser.add_argument(
        "--cases", metavar="NUMBER", type=int, default=12, help="labeled cases (default: 12)"
    )
    parser.add_argument(
        "--test", metavar="NUMBER", type=int, default=0, help="additional test cases (default: 0)"
    )
    add_seed(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="replace phantoms that genseg wrote there"
    )


def run(args: argparse.Namespace) -> None:
    """Write the phantoms."""
    from ..phantoms import make_cases

    with output_folder(args.out, args.overwrite) as folder:
        make_cases(folder, args.anatomy, args.cases, args.seed, test=args.test)
    print(f"{args.cases + args.test} {args.anatomy} phantoms are in {args.out}")
