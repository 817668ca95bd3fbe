"""Arguments that several commands share."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..cases import CaseSet
from ..config import TrainConfig, parse_duration
from ..datasets.layouts import read_cases, read_pair_folders
from ..errors import GenSegError
from ..events import EventLog
from ..nesting import parse_include
from ..presets import EFFORTS, list_presets
from ..progress import JsonLines, TerminalProgress
from ..runs import RunFolder

T = TypeVar("T")


def add_data(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add `CASES`, the folder of the cases, and `--labels` for separate folders."""
    parser.add_argument("data", metavar="CASES", type=Path, help=help_text)
    parser.add_argument(
        "--labels",
        metavar="FOLDER",
        type=Path,
        help="folder of the segmentations if CASES contains only images",
    )
    parser.add_argument(
        "--includes",
        metavar="CLASS=INNER",
        type=argument_type(parse_include),
        action="append",
        help="a class and those within it, such as Liver=Tumor, which are learned as parts of it; "
        "can be repeated",
    )


def read_data(args: argparse.Namespace) -> CaseSet:
    """Read the cases that `add_data` specifies."""
    cases = read_pair_folders(args.data, args.labels) if args.labels else read_cases(args.data)
    if not args.includes:
        return cases
    return replace(cases, includes={**cases.includes, **dict(args.includes)})


def add_preset(parser: argparse.ArgumentParser) -> None:
    """Add `--preset`."""
    parser.add_argument(
        "--preset",
        metavar="NAME",
        help=f"anatomy and modality: {', '.join(list_presets())}, or your own .json file (default: "
        "the generic one of the cases' modality)",
    )


def add_out(parser: argparse.ArgumentParser, help_text: str, required: bool = True) -> None:
    """Add `--out` and `--overwrite`."""
    parser.add_argument("--out", metavar="PATH", type=Path, required=required, help=help_text)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an earlier output of genseg (other files are never removed)",
    )


def add_seed(
    parser: argparse.ArgumentParser,
    help_text: str = "random seed; the same seed gives the same result (default: 0)",
) -> None:
    """Add `--seed`."""
    parser.add_argument("--seed", metavar="NUMBER", type=int, default=0, help=help_text)


def add_effort(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, effort: str, budget: str
) -> None:
    """Add `--effort` and `--time-budget`, without defaults: the command applies those named."""
    parser.add_argument("--effort", choices=EFFORTS, help=f"training length (default: {effort})")
    parser.add_argument(
        "--time-budget",
        metavar="TIME",
        dest="time_budget_s",
        type=argument_type(parse_duration),
        help=f"finish the training within this time, such as 20m or 2h (default: {budget})",
    )


def add_device(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add `--device`."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        type=argument_type(_device_name),
        default="auto",
        help="auto, cpu, cuda, cuda:1 or mps (default: auto, a CUDA GPU if there is one)",
    )


def _device_name(text: str) -> str:
    return TrainConfig(device=text).device


def add_events(parser: argparse.ArgumentParser) -> None:
    """Add `--events`."""
    parser.add_argument(
        "--events",
        choices=("terminal", "jsonl"),
        help="how to report progress: in the terminal (default), or as JSON lines for programs",
    )


@contextmanager
def open_event_log(args: argparse.Namespace, file: Path | None = None) -> Iterator[EventLog]:
    """Open the event log that `--events` selects; it also writes to `file`."""
    if args.events == "jsonl":
        yield EventLog(file, [JsonLines(args.stdout)])
        return
    progress = TerminalProgress(sys.stderr)
    try:
        yield EventLog(file, [progress])
    finally:
        progress.close()


def find_model(path: Path) -> Path:
    """Return the model folder of a run folder, or a model folder itself.

    Raises:
        GenSegError: the run has no model yet.
    """
    if not RunFolder.is_run(path):
        return path
    model = RunFolder(path).model
    if not model.is_dir():
        raise GenSegError(
            f"{path} has no model yet; continue the training with: genseg resume {path}"
        )
    return model


def argument_type(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Convert a parser that raises GenSegError into a `type` for argparse."""

    def convert(text: str) -> T:
        try:
            return parse(text)
        except GenSegError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return convert
