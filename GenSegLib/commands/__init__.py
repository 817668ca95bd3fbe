"""The verbs of the command line, one small module each.

A verb has VERB (its name), SUMMARY (one line of help), EXAMPLE, `add_arguments` and `run`.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from . import (
    check,
    demo,
    devices,
    download,
    evaluate,
    export,
    phantom,
    predict,
    presets,
    resume,
    support,
    synthesize,
    train,
)


class Command(Protocol):
    """What a module of this package offers."""

    VERB: str
    SUMMARY: str
    EXAMPLE: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the verb's arguments."""

    def run(self, args: argparse.Namespace) -> None:
        """Do what the verb says; raises GenSegError for a fault that the user can mend."""


COMMANDS: tuple[Command, ...] = (
    demo,
    check,
    train,
    resume,
    predict,
    evaluate,
    export,
    synthesize,
    phantom,
    download,
    presets,
    devices,
    support,
)
