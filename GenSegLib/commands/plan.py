"""`genseg plan`: plan a training without running it."""

from __future__ import annotations

import argparse
import json
import sys
import time

from ..config import TrainConfig
from ..presets import load_preset
from .options import add_data, add_device, add_effort, add_preset, read_data
from .training_cases import prepare_cases

NAME = "plan"
SUMMARY = "show how a training is planned from the cases and this computer"
EXAMPLE = """\
  genseg plan my-cases
  genseg plan my-cases --preset liver-ct --time-budget 1h
  genseg plan my-cases --json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_data(parser, "folder of the cases")
    add_preset(parser)
    add_effort(parser, "standard", "5m, 20m or 60m, by --effort")
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON, for programs")


def run(args: argparse.Namespace) -> None:
    """Print the candidates and the plan."""
    from ..planning.plan import format_table
    from .training_plan import plan_cases

    preset = load_preset(args.preset) if args.preset else None
    if preset is not None and preset.spacing is not None:
        print(f"preset {preset.name} is not planned: its author has fixed spacing and patch size")
        return
    changes = {"device": args.device, "time_budget_s": args.time_budget_s}
    defaults = TrainConfig()
    prepared = prepare_cases(
        read_data(args),
        preset,
        defaults.validation_fraction,
        defaults.seed,
        lambda text: print(text, file=sys.stderr),
    )
    plan = plan_cases(prepared, args.effort, changes, time.monotonic() - args.started)
    print(json.dumps(plan.to_json(), indent=2) if args.json else format_table(plan))
