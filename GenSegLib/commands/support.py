"""`genseg support`: an anonymized archive for bug reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import GenSegError
from ..runs import RunFolder

NAME = "support"
SUMMARY = "write an anonymized archive for a bug report: versions, settings, events; no images"
EXAMPLE = "  genseg support runs/first --out report.zip"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="run folder")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        default=Path("genseg-report.zip"),
        help="output archive (default: genseg-report.zip)",
    )


def run(args: argparse.Namespace) -> None:
    """Write the archive and list its contents."""
    from ..bug_report import write_bug_report

    if args.out.exists():
        raise GenSegError(f"{args.out} already exists; choose another --out or remove it")
    entries = write_bug_report(RunFolder.open(args.run_folder), args.out)
    print(f"{args.out} contains {', '.join(entries)}.")
    print("Case names are replaced by numbers and paths removed; check it before you send it.")
