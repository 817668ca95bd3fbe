"""`genseg resume`: continue a training."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..runs import RunFolder
from .options import add_events
from .training_job import run_training

NAME = "resume"
SUMMARY = "continue a stopped training from its last checkpoint"
EXAMPLE = "  genseg resume runs/first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="run folder")
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Continue the training."""
    run_training(RunFolder.open(args.run_folder), args, resume=True)
