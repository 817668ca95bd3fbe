"""`genseg download`: public training data."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..events import EventLog
from .options import add_events, open_event_log

NAME = "download"
SUMMARY = "download labeled cases of the Medical Segmentation Decathlon"
EXAMPLE = """\
  genseg download hippocampus decathlon-hippocampus    (28 MB)
  genseg download liver decathlon-liver                (29 GB)

Run the same command again to continue an interrupted download."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("anatomy", choices=("hippocampus", "liver"), help="data set to download")
    parser.add_argument("out", metavar="OUT", type=Path, help="output folder")
    parser.add_argument("--source", metavar="URL", help="download the archive from this mirror")
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Download, verify and extract the archive."""
    from ..data.downloads import download

    with open_event_log(args) as events:
        report = _TransferProgress(events)
        cases = download(args.anatomy, args.out, source=args.source, progress=report)
    print(f"{len(cases.labeled)} labeled cases are in {args.out}")


class _TransferProgress:
    """Report a transfer as progress events, with the time remaining at its mean speed."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._started_at = time.monotonic()
        self._initial: int | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._initial is None:
            self._initial = done
        transferred = done - self._initial
        seconds = time.monotonic() - self._started_at
        remaining_s = seconds * (total - done) / transferred if transferred else None
        self._events.progress("download", done, total, remaining_s)
