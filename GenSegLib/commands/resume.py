"""`genseg resume`: go on with a training."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..runs import RunFolder
from .options import add_events
from .training_job import train_together

VERB = "resume"
SUMMARY = "go on with a training that was stopped, where it stopped"
EXAMPLE = "  genseg resume runs/first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="run folder")
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Train on from the last checkpoint."""
    train_together(lambda: (RunFolder.open(args.run_folder), True), args)
