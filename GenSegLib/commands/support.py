"""`genseg support`: what a bug report needs, in one archive."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import GenSegError
from ..runs import RunFolder

VERB = "support"
SUMMARY = "write an archive for a bug report: versions, settings and events, no images, no names"
EXAMPLE = "  genseg support runs/first --out report.zip"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="run folder")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        default=Path("genseg-report.zip"),
        help="archive to write (default: genseg-report.zip)",
    )


def run(args: argparse.Namespace) -> None:
    """Write the archive and tell what is in it."""
    from ..support.bug_report import write_bug_report

    if args.out.exists():
        raise GenSegError(f"{args.out} exists already; choose another --out or remove it")
    entries = write_bug_report(RunFolder.open(args.run_folder), args.out)
    print(f"{args.out} holds {', '.join(entries)}.")
    print(
        "Names of cases are numbers in it and paths are left out; look into it before you send it."
    )
