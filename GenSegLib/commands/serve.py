"""`genseg serve`: keep a model in memory and segment images that another program sends."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..events import EventLog
from ..models.folder import ModelMetadata
from ..progress import JsonLines
from .options import add_device, find_model

NAME = "serve"
SUMMARY = "keep a model loaded and segment the images that another program sends, such as a video"
EXAMPLE = """\
  genseg serve runs/first
The program writes requests to standard input and reads JSON lines from standard output; images are
in shared memory. GenSegLib/serving/protocol.py describes the messages, and
GenSegLib.serving.client.ServeProcess is a client for Python. The end of the input ends it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="run folder or model folder")
    add_device(parser)
    # Answers are JSON lines in any case; `cli` searches the arguments for the option.
    parser.add_argument("--events", choices=("terminal", "jsonl"), help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> None:
    """Answer requests until standard input ends."""
    model = find_model(args.model)
    ModelMetadata.load(model)  # a wrong path is reported before PyTorch is imported
    from ..serving.server import serve

    events = EventLog(None, [JsonLines(args.stdout)])
    # not sys.stdin, which Python closes at its end, and aborts if the thread of the server reads it
    requests = open(sys.stdin.fileno(), "rb", closefd=False)  # noqa: SIM115
    serve(model, requests, events, device=args.device, find_model=find_model)
