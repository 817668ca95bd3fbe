"""The commands of `genseg`, one module each.

A command has NAME, SUMMARY (one line of help), EXAMPLE, `add_arguments` and `run`. Heavy packages
are imported in `run`, so that the help appears at once.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from . import (
    check,
    demo,
    devices,
    evaluate,
    export,
    forecast,
    next,
    phantom,
    plan,
    predict,
    presets,
    resume,
    serve,
    support,
    synthesize,
    train,
)


class Command(Protocol):
    """Interface of the modules of this package."""

    NAME: str
    SUMMARY: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, args: argparse.Namespace) -> None:
        """Run the command; raises GenSegError for errors that the user can fix."""


COMMANDS: tuple[Command, ...] = (
    demo,
    check,
    plan,
    train,
    resume,
    predict,
    serve,
    evaluate,
    next,
    forecast,
    export,
    synthesize,
    phantom,
    presets,
    devices,
    support,
)
