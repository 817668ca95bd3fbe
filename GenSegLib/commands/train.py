"""`genseg train`: train a model on labeled cases."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..config import (
    ENCODERS,
    GENERATORS,
    HYPERGRADIENTS,
    SEGMENTERS,
    TARGET_SCANNERS,
    TrainConfig,
    parse_setting,
)
from ..datasets.case_selection import select_cases
from ..datasets.layouts import with_unlabeled
from ..errors import GenSegError
from ..events import EventLog
from ..presets import load_preset
from ..recipes import list_recipes, load_recipe
from ..runs import RunFolder
from .options import (
    add_data,
    add_device,
    add_effort,
    add_events,
    add_out,
    add_preset,
    argument_type,
    read_data,
)
from .training_cases import prepare_cases
from .training_job import run_training
from .training_start import add_start, read_start

NAME = "train"
SUMMARY = "train a model on labeled cases and generated pairs"
EXAMPLE = """\
  genseg train my-cases --preset hippocampus-mri --out runs/first
  genseg train my-cases --preset generic-ct --labeled 10 --time-budget 2h --out runs/second
  genseg train my-cases --unlabeled scans-to-segment --target-scanner similar --out runs/third
  genseg train more-cases --from runs/first --out runs/fourth"""

_WARNING = "warning: "
_OF_CASES = Path()  # --unlabeled without a folder
_SETTINGS = (
    *("seed", "time_budget_s", "segmenter", "encoder", "generator", "hypergradient", "device"),
    *("threads", "target_scanner"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments; settings have their defaults in TrainConfig."""
    add_data(parser, "folder of the cases, or a run folder created by the 3D Slicer module")
    add_preset(parser)
    parser.add_argument(
        "--labeled",
        metavar="NUMBER",
        type=int,
        help="use a random subset of this many labeled cases (default: all)",
    )
    add_start(parser)
    add_out(parser, "run folder to create: settings, progress, model, report", required=False)
    _add_settings(parser.add_argument_group("training settings"))
    _add_method(parser.add_argument_group("method"))
    _add_target(parser.add_argument_group("images that the model is for"))
    add_events(parser)


def _add_settings(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--seed", metavar="NUMBER", type=int, help="random seed (default: 0)")
    add_effort(
        group,
        "standard",
        "5m, 20m or 60m for quick, standard or thorough; with a preset of fixed spacing none: "
        "--effort sets the number of steps instead",
    )
    add_device(group)
    group.add_argument(
        "--threads",
        metavar="NUMBER",
        type=int,
        help="CPU threads (default: the fastest number, measured at the start)",
    )
    group.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="settings",
        type=argument_type(parse_setting),
        action="append",
        help="any other training setting; can be repeated",
    )
    group.set_defaults(device=None)


def _add_method(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--recipe",
        choices=tuple(list_recipes()),
        help="settings of a published method, for comparison; other options override them",
    )
    group.add_argument("--segmenter", choices=SEGMENTERS, help="segmentation network")
    group.add_argument(
        "--encoder",
        choices=ENCODERS,
        help="start the encoder of a 2-D unet, dynunet or deeplab from ImageNet's weights, or from "
        "scratch (default: that of the preset)",
    )
    group.add_argument(
        "--generator",
        choices=GENERATORS,
        help="how image-mask pairs are generated. searchable: by a network with searched "
        "architecture; mask-only: the same from masks alone; regions: real images whose regions "
        "get other contrasts, for other scanners; transplants: real images with lesions pasted "
        "from others; none: no generated pairs (default: by preset, device and time)",
    )
    group.add_argument(
        "--no-generator",
        dest="generator",
        action="store_const",
        const="none",
        help="train on real cases only (--generator none)",
    )
    group.add_argument(
        "--hypergradient",
        choices=HYPERGRADIENTS,
        help="how the validation loss of the segmenter updates the generator; none: no feedback",
    )


def _add_target(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--target-scanner",
        metavar="SCANNER",
        type=argument_type(_parse_scanner),
        help=f"scanner or camera that the model is for: {', '.join(TARGET_SCANNERS)}, or a number "
        "from 0 (same) to 1 (any); above 0, regions get other contrasts in part of the training "
        "images (default: same)",
    )
    group.add_argument(
        "--unlabeled",
        metavar="FOLDER",
        type=Path,
        nargs="?",
        const=_OF_CASES,
        help="also learn from images without labels, such as those to be segmented: of a folder, "
        "in addition to the unlabeled cases of CASES, which with --labeled include the other "
        "labeled cases without their labels",
    )


def _parse_scanner(text: str) -> float:
    if text in TARGET_SCANNERS:
        return TARGET_SCANNERS[text]
    return float(parse_setting(f"target_scanner={text}")[1])


def run(args: argparse.Namespace) -> None:
    """Create the run folder unless there is one, and train."""
    run_training(_find_run(args), args, resume=False)


def _find_run(args: argparse.Namespace) -> RunFolder:
    """Return the run, created if it is new."""
    return _existing_run(args) if RunFolder.is_run(args.data) else _new_run(args)


def _existing_run(args: argparse.Namespace) -> RunFolder:
    names = ("preset", "recipe", "labeled", "out", "labels", "includes", "unlabeled", *_SETTINGS)
    given = [_option(name) for name in names if _is_given(args, name)]
    given += [f"--set {name}" for name in dict(args.settings or ())]
    if given:
        raise GenSegError(f"{args.data} is a run folder with its own settings; omit {given[0]}")
    run_folder = RunFolder.open(args.data)
    if run_folder.has_begun():
        raise GenSegError(
            f"{args.data} has been started before; continue it with: genseg resume {args.data}"
        )
    start = read_start(args)
    log = partial(_log, EventLog(run_folder.events_file))
    if start is not None and start.begin_run(run_folder, args.started, log):
        return run_folder
    if _is_unplanned(run_folder):
        _plan_run(run_folder, args.started, log)
    return run_folder


def _is_unplanned(run_folder: RunFolder) -> bool:
    """Whether settings or preset of a run depend on its cases or its target scanner."""
    config, preset = run_folder.config, run_folder.preset
    return preset.spacing is None or config.self_training or config.target_scanner > 0


def _plan_run(run_folder: RunFolder, started: float, log: Callable[[str], None]) -> None:
    """Plan the training of a run that a program created."""
    from .training_plan import plan_training, settings_of

    config, preset = run_folder.config, run_folder.preset
    split = config.validation_fraction, config.seed
    needed = config.self_training
    prepared = prepare_cases(run_folder.cases, preset, *split, log, needs_unlabeled=needed)
    spent_s = time.monotonic() - started
    config, preset, plan = plan_training(prepared, *settings_of(run_folder), spent_s)
    run_folder.set_plan(config, preset, plan.to_json() if plan else None, prepared.cases)


def _new_run(args: argparse.Namespace) -> RunFolder:
    from .training_plan import plan_training

    if args.out is None:
        raise GenSegError("specify the run folder to create, such as --out runs/first")
    RunFolder.require_free(args.out, args.overwrite)
    preset = load_preset(args.preset) if args.preset else None
    recipe = load_recipe(args.recipe) if args.recipe else {}
    changes = {**recipe, **_changes(args)}
    config = TrainConfig.for_preset(preset or load_preset("generic-mri"), **changes)
    _require_device(config.device)
    _require_encoder(config)
    cases = read_data(args)
    if args.unlabeled not in (None, _OF_CASES):
        cases = with_unlabeled(cases, args.unlabeled)
    cases = select_cases(cases, args.labeled, config.seed, unlabeled=config.self_training)
    if preset is not None and preset.spacing is not None:
        _require_patch_size(config.network, preset)
    start = read_start(args)
    if start is not None and (prepared := start.prepare(cases, config, _print)) is not None:
        return start.create_run(args, prepared, changes)
    split, needed = (config.validation_fraction, config.seed), config.self_training
    prepared = prepare_cases(cases, preset, *split, _print, needs_unlabeled=needed)
    spent_s = time.monotonic() - args.started
    config, preset, plan = plan_training(prepared, args.effort, changes, spent_s)
    details = plan.to_json() if plan else None
    return RunFolder.create(args.out, config, preset, prepared.cases, args.overwrite, details)


def _print(message: str) -> None:
    print(message, file=sys.stderr)


def _log(events: EventLog, message: str) -> None:
    """Print a message, and log it for the program that created the run."""
    _print(message)
    level = "warning" if message.startswith(_WARNING) else "info"
    events.log(message[len(_WARNING) :] if level == "warning" else message, level)


def _require_device(name: str) -> None:
    """Report a missing GPU before the cases are read."""
    from ..computing.devices import choose_device

    choose_device(name)


def _require_encoder(config: TrainConfig) -> None:
    """Report missing weights of a pretrained encoder before the cases are read."""
    if config.encoder == "pretrained":
        from ..networks.pretrained import require_weights

        require_weights()


def _require_patch_size(network: str, preset: Any) -> None:
    """Report patches that are too small for the network before the cases are checked."""
    from ..training.builders import require_compatible_patch_size

    require_compatible_patch_size(network, preset)


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that the user specified; those of --set take precedence."""
    named = {name: getattr(args, name) for name in _SETTINGS if _is_given(args, name)}
    if args.unlabeled is not None:
        named["self_training"] = True
    return named | dict(args.settings or ())


def _option(name: str) -> str:
    """Return the option that sets an argument."""
    return f"--{name.removesuffix('_s').replace('_', '-')}"


def _is_given(args: argparse.Namespace, name: str) -> bool:
    return getattr(args, name) is not None
