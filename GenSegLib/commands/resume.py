"""`genseg resume`: go on with a training."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..runs import RunFolder
from .options import add_events
from .training_job import run_training

VERB = "resume"
SUMMARY = "go on with a training that was stopped, where it stopped"
EXAMPLE = "  genseg resume runs/first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="run folder")
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Train on from the last checkpoint."""
    run_training(RunFolder.open(args.run_folder), args, resume=True)
