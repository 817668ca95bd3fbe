"""`genseg demo`: the whole workflow on synthetic images."""

from __future__ import annotations

import argparse
from itertools import count
from pathlib import Path

from .. import outputs
from ..config import TrainConfig
from ..presets import load_preset
from ..runs import RunFolder, State
from .options import add_device, add_effort, add_events, add_out, add_seed, open_event_log
from .training_cases import prepare_cases
from .training_job import run_training

NAME = "demo"
SUMMARY = "run the whole workflow on synthetic images: train, predict, evaluate, report"
EXAMPLE = """\
  genseg demo --out my-demo
  genseg demo --anatomy skin --out photo-demo"""

PRESETS = {
    "hippocampus": "hippocampus-mri",
    "skin": "generic-2d-color",
    "ultrasound": "generic-2d",
}
ENTRIES = ("cases", "run", "predictions")
TEST_CASES = 4
EFFORT = "quick"
QUICK_S = 240.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_out(parser, "output folder (default: demo, then demo-2, ...)", required=False)
    parser.add_argument(
        "--anatomy",
        choices=tuple(PRESETS),
        default="hippocampus",
        help="brain MRI, photos of skin, or ultrasound of the breast (default: hippocampus)",
    )
    parser.add_argument(
        "--cases", metavar="NUMBER", type=int, default=10, help="labeled cases (default: 10)"
    )
    add_effort(parser, EFFORT, "4m with --effort quick, otherwise as in genseg train")
    add_seed(parser, "random seed (default: 0); reproducible unless time ends the training")
    add_device(parser)
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Run the workflow, reporting each step."""
    out = args.out or _unused_folder()
    outputs.remove_earlier(out, args.overwrite)
    outputs.write_marker(out, ENTRIES)
    print(f"Step 1 of 4: generating {args.cases} labeled images and {TEST_CASES} test images")
    _make_cases(out, args)
    print("Step 2 of 4: training")
    run_folder = _train(out, args)
    if run_folder is None:
        return
    print("Step 3 of 4: segmenting the test images")
    _predict(out, args)
    print("Step 4 of 4: evaluating the predictions")
    _report(out, run_folder)


def _unused_folder() -> Path:
    names = (Path("demo" if number == 1 else f"demo-{number}") for number in count(1))
    return next(path for path in names if not path.exists())


def _make_cases(out: Path, args: argparse.Namespace) -> None:
    from ..phantoms import make_cases

    make_cases(out / "cases", args.anatomy, args.cases, args.seed, test=TEST_CASES)


def _train(out: Path, args: argparse.Namespace) -> RunFolder | None:
    from ..datasets.layouts import read_cases
    from .training_plan import plan_training

    preset = load_preset(PRESETS[args.anatomy])
    effort = args.effort or EFFORT
    budget_s = args.time_budget_s or (QUICK_S if effort == "quick" else None)
    settings = {"seed": args.seed, "device": args.device, "time_budget_s": budget_s}
    fraction = TrainConfig.for_preset(preset, effort, args.cases).validation_fraction
    prepared = prepare_cases(read_cases(out / "cases"), preset, fraction, args.seed)
    config, preset, plan = plan_training(prepared, effort, settings)
    details = plan.to_json() if plan else None
    run_folder = RunFolder.create(out / "run", config, preset, prepared.cases, plan=details)
    state = run_training(run_folder, args, resume=False)
    return run_folder if state is State.FINISHED else None


def _predict(out: Path, args: argparse.Namespace) -> None:
    from ..datasets.layouts import list_images
    from ..prediction.predict import predict_files

    images = list_images(out / "cases" / "imagesTs")
    model, predictions = out / "run" / "model", out / "predictions"
    with open_event_log(args) as events:
        predict_files(model, images, predictions, device=args.device, events=events)


def _report(out: Path, run_folder: RunFolder) -> None:
    from ..evaluation.evaluate import evaluate_folders
    from ..reports import write_report

    predictions, references = out / "predictions", out / "cases" / "labelsTs"
    scores = run_folder.path / "scores.csv"
    evaluation = evaluate_folders(predictions, references, run_folder.labels)
    evaluation.write(scores, scores.with_suffix(".json"))
    print(evaluation.table())
    report = write_report(run_folder, scores, predictions, references)
    print(f"Report: {report.absolute()}")
