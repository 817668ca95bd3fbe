"""`genseg plan`: plan a training without running it."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from ..config import PHASE_STEPS, TrainConfig
from ..presets import Preset, load_preset
from ..progress import format_duration
from ..text_table import text_table
from ..training.schedule import PHASES
from .options import add_data, add_device, add_effort, add_preset, read_data
from .training_cases import prepare_cases

NAME = "plan"
SUMMARY = "show how a training is planned from the cases and this computer"
EXAMPLE = """\
  genseg plan my-cases
  genseg plan my-cases --preset liver-ct --time-budget 1h
  genseg plan my-cases --json"""

_SETTINGS = (*PHASE_STEPS, "expected_steps", "generator", "batch_size", "time_budget_s")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_data(parser, "folder of the cases")
    add_preset(parser)
    add_effort(parser, "standard", "5m, 20m or 60m, by --effort")
    add_device(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON, for programs")


def run(args: argparse.Namespace) -> None:
    """Print the candidates and the plan, or the steps of a preset that has fixed the rest."""
    from ..planning.plan import format_table
    from .training_plan import plan_training

    preset = load_preset(args.preset) if args.preset else None
    changes: dict[str, Any] = {"device": args.device}
    if args.time_budget_s is not None:
        changes["time_budget_s"] = args.time_budget_s
    defaults = TrainConfig()
    prepared = prepare_cases(
        read_data(args),
        preset,
        defaults.validation_fraction,
        defaults.seed,
        lambda text: print(text, file=sys.stderr),
    )
    spent_s = time.monotonic() - args.started
    config, preset, plan = plan_training(prepared, args.effort, changes, spent_s)
    values = plan.to_json() if plan else _fixed_plan(config, preset)
    if args.json:
        print(json.dumps(values, indent=2))
    else:
        print(format_table(plan) if plan else _fixed_table(config, preset))


def _fixed_plan(config: TrainConfig, preset: Preset) -> dict[str, Any]:
    """Return what `Plan.to_json` says, as far as it is planned where a preset has a spacing."""
    settings = config.to_json()
    return {
        "preset": preset.to_json(),
        "changes": {name: settings[name] for name in _SETTINGS},
        "steps": config.expected_steps or config.joint_steps + config.final_steps,
        "budget_s": config.time_budget_s,
        "summary": _fixed_summary(config, preset),
    }


def _fixed_summary(config: TrainConfig, preset: Preset) -> str:
    budget_s = config.time_budget_s
    length = "" if budget_s is None else f", at most {format_duration(budget_s)}"
    return (
        f"Plan: the steps of preset {preset.name}{length}; its author has fixed spacing and patch "
        "size"
    )


def _fixed_table(config: TrainConfig, preset: Preset) -> str:
    """Return the steps of each phase as a table for the terminal, and the plan in words."""
    steps = {phase: getattr(config, name) for phase, name in zip(PHASES, PHASE_STEPS)}
    rows = [("phase", "steps"), *((phase, f"{count:,}") for phase, count in steps.items() if count)]
    lines = [text_table(rows, underlined=True), ""]
    if config.expected_steps:
        lines.append(f"{config.expected_steps:,} of these steps are expected to fit into the time")
    return "\n".join([*lines, _fixed_summary(config, preset)])
