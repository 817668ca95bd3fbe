"""`genseg train`: from segmented cases to a model."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

from ..cases import CaseSet
from ..computing.torchrun import is_one_of_several, restarts
from ..config import (
    CONSISTENCIES,
    GENERATORS,
    HYPERGRADIENTS,
    SEGMENTERS,
    TrainConfig,
    parse_setting,
)
from ..data.unlabeled import draw_cases
from ..errors import GenSegError
from ..presets import Preset, list_presets, load_preset
from ..recipes import list_recipes, load_recipe
from ..runs import RunFolder
from .case_choice import choose_cases
from .options import add_data, add_device, add_effort, add_events, add_out, read_by, read_data
from .training_job import train_together

VERB = "train"
SUMMARY = "train a model on segmented cases, helped by generated ones"
EXAMPLE = """\
  genseg train my-cases --preset hippocampus-mri --out runs/first
  genseg train my-cases --preset generic-ct --labeled 10 --time-budget 2h --out runs/second
  genseg train my-cases --preset hippocampus-mri --unlabeled mean-teacher --out runs/third
  genseg train runs/first --resume
  torchrun --nproc-per-node 2 -m GenSegLib train my-cases --preset liver-ct --out runs/fourth"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments; those of the training have no default here but in TrainConfig."""
    add_data(parser, "folder of the cases; or a run folder, to train what it asks for")
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help=f"what is in the images: {', '.join(list_presets())}, or a .json file of your own",
    )
    parser.add_argument(
        "--labeled",
        metavar="NUMBER",
        type=int,
        help="use this many of the segmented cases, drawn by the seed (default: all)",
    )
    add_out(parser, "run folder to write: settings, progress, model and report", required=False)
    parser.add_argument(
        "--resume", action="store_true", help="go on with the run where it was stopped"
    )
    _add_settings(parser)
    add_events(parser)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to train (the defaults are good ones)")
    group.add_argument("--seed", metavar="NUMBER", type=int, help="start of the random numbers")
    group.add_argument(
        "--recipe",
        choices=tuple(list_recipes()),
        help="settings of a published way to train, to compare with; those that you name win",
    )
    add_effort(group, "standard", "none")
    group.add_argument("--segmenter", choices=SEGMENTERS, help="network that segments")
    group.add_argument(
        "--generator",
        choices=GENERATORS,
        help="network that makes the images of new pairs: of searchable cells (the default), the "
        "same from masks alone, with SPADE normalization, a variational autoencoder, a diffusion "
        "bridge of a few steps; warped: real images moved onto new masks, and no network; none: "
        "no new pairs",
    )
    group.add_argument(
        "--no-generator",
        dest="generator",
        action="store_const",
        const="none",
        help="train on the real cases alone",
    )
    group.add_argument(
        "--hypergradient",
        choices=HYPERGRADIENTS,
        help="how the segmenter's error steers the generator; none: not at all",
    )
    _add_unlabeled(group)
    add_device(group)
    group.add_argument(
        "--deterministic",
        action="store_const",
        const=True,
        help="the same result to the bit each time on a graphics card, too; slower there, and not "
        "with segresnet, deeplab and diffusion",
    )
    group.add_argument(
        "--threads",
        metavar="NUMBER",
        type=int,
        help="CPU threads (default: as many as a few steps at the start are fastest with)",
    )
    group.add_argument(
        "--set",
        metavar="NAME=VALUE",
        dest="settings",
        type=read_by(parse_setting),
        action="append",
        help="any other setting of the training; may be given several times",
    )
    group.set_defaults(device=None)


def _add_unlabeled(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--unlabeled",
        dest="consistency",
        choices=CONSISTENCIES,
        help="learn from the scans without a segmentation, too: the model is to find the same in "
        "them however they are deformed and recolored; uncertainty-aware: only where it is sure "
        "(default: none)",
    )
    group.add_argument(
        "--unlabeled-cases",
        metavar="NUMBER",
        type=int,
        help="use this many of them (default: all); with --labeled the segmented cases that it "
        "leaves out are among them, their segmentations unread, except for the last 48 of the "
        "seed's order, which stay unseen for testing",
    )


def run(args: argparse.Namespace) -> None:
    """Make the run folder, unless there is one, and train."""
    train_together(lambda: _asked_run(args), args)


def _asked_run(args: argparse.Namespace) -> tuple[RunFolder, bool]:
    """Give the run, made where it is new, and whether to go on with it."""
    if restarts() and any(RunFolder.is_run(path) for path in (args.data, args.out) if path):
        args.resume = True
    if RunFolder.is_run(args.data):
        return _existing_run(args), args.resume
    if args.resume and args.out is None:
        raise GenSegError(f"{args.data} is no run folder; say with --out which run to resume")
    return (RunFolder.open(args.out) if args.resume else _new_run(args)), args.resume


def _existing_run(args: argparse.Namespace) -> RunFolder:
    given = [
        name
        for name in ("preset", "recipe", "labeled", "unlabeled_cases", "out", "labels")
        if _is_given(args, name)
    ]
    given += _changes(args)
    if given:
        raise GenSegError(f"{args.data} says itself how to train; leave out {given[0]}")
    run_folder = RunFolder.open(args.data)
    if not args.resume and run_folder.has_begun():
        raise GenSegError(f"{args.data} was begun before; add --resume to go on with it")
    return run_folder


def _new_run(args: argparse.Namespace) -> RunFolder:
    if args.preset is None:
        raise GenSegError(f"say what is in the images: --preset {', '.join(list_presets())}")
    if args.out is None:
        raise GenSegError("say where the run shall go, such as --out runs/first")
    RunFolder.require_free(args.out, args.overwrite)
    preset = load_preset(args.preset)
    recipe = load_recipe(args.recipe) if args.recipe else {}
    changes = {**recipe, **_changes(args)}
    settings = partial(TrainConfig.for_preset, preset, args.effort or "standard", **changes)
    config = settings()
    _require_device(config.device)
    cases = _draw(read_data(args), args, config)
    _require_patches(config.segmenter, preset)
    cases, preset = choose_cases(cases, preset, config.validation_share, config.seed)
    if not is_one_of_several():  # which could not share a batch of one sample
        config = settings(labeled=len(cases.labeled))
    return RunFolder.create(args.out, config, preset, cases, overwrite=args.overwrite)


def _draw(cases: CaseSet, args: argparse.Namespace, config: TrainConfig) -> CaseSet:
    unlabeled, limit = config.consistency != "none", args.unlabeled_cases
    if limit is not None and not unlabeled:
        raise GenSegError("--unlabeled-cases needs --unlabeled with a method: mean-teacher")
    return draw_cases(cases, args.labeled, config.seed, unlabeled=unlabeled, limit=limit)


def _require_device(name: str) -> None:
    """Find a missing GPU before the cases are read and the run folder is there."""
    from ..computing.devices import choose_device

    choose_device(name)


def _require_patches(segmenter: str, preset: Preset) -> None:
    """Find patches that are too small for the segmenter before voxels are read."""
    from ..training.assembly import require_patches

    require_patches(segmenter, preset)


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    """Give the settings that the user named; those of --set win."""
    names = (
        *("seed", "time_budget_s", "segmenter", "generator", "hypergradient", "device"),
        *("consistency", "deterministic", "threads"),
    )
    named = {name: getattr(args, name) for name in names if _is_given(args, name)}
    return named | dict(args.settings or ())


def _is_given(args: argparse.Namespace, name: str) -> bool:
    return getattr(args, name) is not None
