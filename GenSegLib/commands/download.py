"""`genseg download`: public cases to train on."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ..events import EventLog
from .options import add_events, watch

VERB = "download"
SUMMARY = "fetch public segmented cases of the Medical Segmentation Decathlon"
EXAMPLE = """\
  genseg download hippocampus decathlon-hippocampus    (28 MB)
  genseg download liver decathlon-liver                (29 GB)

An interrupted download goes on when the same command is given again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("anatomy", choices=("hippocampus", "liver"), help="what to fetch")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write")
    parser.add_argument("--source", metavar="URL", help="fetch the archive from this mirror")
    add_events(parser)


def run(args: argparse.Namespace) -> None:
    """Fetch, verify and unpack."""
    from ..data.downloads import download

    with watch(args) as events:
        cases = download(args.anatomy, args.out, source=args.source, progress=_Transfer(events))
    print(f"{len(cases.labeled)} segmented cases are in {args.out}")


class _Transfer:
    """Tells a transfer as events, with the time that remains at its mean speed so far."""

    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._begun_at = time.monotonic()
        self._there_before: int | None = None

    def __call__(self, done: int, total: int) -> None:
        if self._there_before is None:
            self._there_before = done
        fetched = done - self._there_before
        seconds = time.monotonic() - self._begun_at
        remaining_s = seconds * (total - done) / fetched if fetched else None
        self._events.progress("download", done, total, remaining_s)
