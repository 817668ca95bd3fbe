"""The arguments that several verbs share, and what they stand for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..cases import CaseSet
from ..config import TrainConfig, parse_duration
from ..data.layouts import read_cases, read_pair_folders
from ..errors import GenSegError
from ..events import EventLog, Sink
from ..presets import EFFORTS
from ..progress import JsonLines, TerminalProgress
from ..runs import RunFolder

T = TypeVar("T")


def add_data(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare where cases are: `DATA`, and `--labels` for a pair of folders."""
    parser.add_argument("data", metavar="DATA", type=Path, help=what)
    parser.add_argument(
        "--labels",
        metavar="FOLDER",
        type=Path,
        help="folder of the segmentations, when DATA is a folder of images only",
    )


def read_data(args: argparse.Namespace) -> CaseSet:
    """Read the cases that `add_data` asked for."""
    return read_pair_folders(args.data, args.labels) if args.labels else read_cases(args.data)


def add_out(parser: argparse.ArgumentParser, what: str, required: bool = True) -> None:
    """Declare `--out` and `--overwrite`."""
    parser.add_argument("--out", metavar="PATH", type=Path, required=required, help=what)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace what an earlier genseg wrote there (nothing else is ever removed)",
    )


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Declare `--seed`."""
    parser.add_argument(
        "--seed",
        metavar="NUMBER",
        type=int,
        default=0,
        help="start of the random numbers; the same seed gives the same result (default: 0)",
    )


def add_effort(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup, effort: str, budget: str
) -> None:
    """Declare `--effort` and `--time-budget`; their defaults are told here, the verb sets them."""
    parser.add_argument("--effort", choices=EFFORTS, help=f"how long to train (default: {effort})")
    parser.add_argument(
        "--time-budget",
        metavar="TIME",
        dest="time_budget_s",
        type=read_by(parse_duration),
        help=f"end the training after this time, such as 20m or 2h (default: {budget})",
    )


def add_device(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Declare `--device`."""
    parser.add_argument(
        "--device",
        metavar="NAME",
        type=read_by(_device_name),
        default="auto",
        help="auto, cpu, cuda, cuda:1 or mps (default: auto, a CUDA card or the CPU)",
    )


def _device_name(text: str) -> str:
    return TrainConfig(device=text).device


def add_events(parser: argparse.ArgumentParser) -> None:
    """Declare `--events`."""
    parser.add_argument(
        "--events",
        choices=("terminal", "jsonl"),
        help="how progress is told: for people (default), or as JSON lines for programs",
    )


@contextmanager
def watch(
    args: argparse.Namespace, file: Path | None = None, sinks: Sequence[Sink] = ()
) -> Iterator[EventLog]:
    """Give the event log that the user asked for, which also goes to `file` and `sinks`."""
    if args.events == "jsonl":
        yield EventLog(file, [JsonLines(args.stdout), *sinks])
        return
    progress = TerminalProgress(sys.stderr)
    try:
        yield EventLog(file, [progress, *sinks])
    finally:
        progress.close()


def find_model(path: Path) -> Path:
    """Give the model folder of a run folder, or the model folder itself.

    Raises:
        GenSegError: the run has no model yet.
    """
    if not RunFolder.is_run(path):
        return path
    model = RunFolder(path).model
    if not model.is_dir():
        raise GenSegError(f"{path} has no model yet; train it on with: genseg resume {path}")
    return model


def read_by(read: Callable[[str], T]) -> Callable[[str], T]:
    """Make a reader of the library one for argparse, which knows no GenSegError."""

    def reader(text: str) -> T:
        try:
            return read(text)
        except GenSegError as fault:
            raise argparse.ArgumentTypeError(str(fault)) from fault

    return reader
