"""`genseg demo`: the whole job on made-up volumes."""

from __future__ import annotations

import argparse
from itertools import count
from pathlib import Path

from .. import outputs
from ..config import TrainConfig
from ..presets import load_preset
from ..runs import RunFolder, State
from .case_choice import choose_cases
from .options import add_device, add_effort, add_events, add_out, add_seed, watch
from .training_job import run_training

VERB = "demo"
SUMMARY = "do the whole job on made-up volumes: train, segment new ones, evaluate, report"
EXAMPLE = "  genseg demo --out my-demo"

PRESET = "hippocampus-mri"
ENTRIES = ("cases", "run", "predictions")
UNSEEN = 4
EFFORT = "quick"
QUICK_S = 240.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_out(parser, "folder to write (default: demo, or demo-2 and so on)", required=False)
    parser.add_argument(
        "--cases", metavar="NUMBER", type=int, default=10, help="segmented cases (default: 10)"
    )
    add_effort(parser, EFFORT, "4m when quick, otherwise none")
    add_seed(parser)
    add_device(parser)
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Do the job, telling each step of it."""
    out = args.out or _free_folder()
    outputs.require_free(out, args.overwrite)
    outputs.make_room(out, args.overwrite)
    outputs.mark(out, ENTRIES)
    print(f"1 of 4: drawing {args.cases} segmented volumes and {UNSEEN} new ones")
    _make_cases(out, args)
    print("2 of 4: training on them through the three levels")
    run_folder = _train(out, args)
    if run_folder is None:
        return
    print("3 of 4: segmenting the new volumes")
    _predict(out, args)
    print("4 of 4: comparing with the truth")
    _report(out, run_folder)


def _free_folder() -> Path:
    names = (Path("demo" if number == 1 else f"demo-{number}") for number in count(1))
    return next(path for path in names if not path.exists())


def _make_cases(out: Path, args: argparse.Namespace) -> None:
    from ..phantoms import make_cases

    make_cases(out / "cases", "hippocampus", args.cases, args.seed, test=UNSEEN)


def _train(out: Path, args: argparse.Namespace) -> RunFolder | None:
    from ..data.layouts import read_cases

    preset = load_preset(PRESET)
    effort = args.effort or EFFORT
    budget_s = args.time_budget_s or (QUICK_S if effort == "quick" else None)
    settings = {"seed": args.seed, "device": args.device, "time_budget_s": budget_s}
    config = TrainConfig.for_preset(preset, effort, args.cases, **settings)
    found = read_cases(out / "cases")
    cases, preset = choose_cases(found, preset, config.validation_share, args.seed)
    run_folder = RunFolder.create(out / "run", config, preset, cases)
    state = run_training(run_folder, args, resume=False)
    return run_folder if state is State.FINISHED else None


def _predict(out: Path, args: argparse.Namespace) -> None:
    from ..data.layouts import list_images
    from ..prediction.predict import predict_files

    images = list_images(out / "cases" / "imagesTs")
    with outputs.output_folder(out / "predictions") as folder, watch(args) as events:
        predict_files(out / "run" / "model", images, folder, device=args.device, events=events)


def _report(out: Path, run_folder: RunFolder) -> None:
    from ..evaluation.evaluate import evaluate_folders
    from ..reports import write_report

    predictions, references = out / "predictions", out / "cases" / "labelsTs"
    scores = run_folder.path / "scores.csv"
    labels = run_folder.preset.labels
    evaluation = evaluate_folders(predictions, references, labels)
    evaluation.write(scores, scores.with_suffix(".json"))
    print(evaluation.table())
    report = write_report(run_folder, scores, predictions, references)
    print(f"The report is {report.absolute()}")
