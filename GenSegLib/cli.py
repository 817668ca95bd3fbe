"""The command line `genseg`.

Exit codes: 0 success, 2 an error that the user can fix, 1 a bug, 130 interrupted.
Light: heavy packages are imported by the commands that need them.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn, TextIO

from . import __version__
from .commands import COMMANDS
from .errors import GenSegError, as_user_error
from .events import EventLog
from .progress import JsonLines

_EPILOG = """\
getting started:
  genseg demo                   run the whole workflow on synthetic images (about 5 minutes)
  genseg check CASES            check your own cases
  genseg train CASES --preset hippocampus-mri --out runs/first
  genseg predict runs/first NEW_IMAGES --out predictions

`genseg COMMAND --help` describes a command and shows examples.
For research use only; GenSeg is not a medical device."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises GenSegError, so that errors are one line, and knows no abbreviations.

    Programs search the arguments for `--events` before they are parsed.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise GenSegError(f"{message} (see: {self.prog} --help)")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    parser = _Parser(
        prog="genseg",
        description="Train a model that segments your images, from a handful of labeled cases.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"genseg {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True
    )
    for command in COMMANDS:
        subparser = commands.add_parser(
            command.NAME,
            help=command.SUMMARY,
            description=f"{command.SUMMARY[0].upper()}{command.SUMMARY[1:]}.",
            epilog=f"examples:\n{command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run, events="terminal")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code."""
    started = time.monotonic()
    if argv is None:
        _skip_unused_imports()
    arguments = sys.argv[1:] if argv is None else list(argv)
    stdout = sys.stdout
    _escape_unencodable(sys.stdout, sys.stderr)
    with _stdout_for_events(_wants_json(arguments)):
        try:
            args = build_parser().parse_args(arguments)
            args.stdout, args.started = stdout, started
            args.run(args)
        except KeyboardInterrupt:
            return _fail(130, "interrupted", "interrupted", arguments, stdout)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
        except Exception as error:
            if (known := as_user_error(error)) is not None:
                line = " ".join(str(known).split())
                return _fail(2, f"error: {line}", line, arguments, stdout)
            traceback.print_exc()
            text = f"this is a bug in GenSeg; please report it with the lines above ({error!r})"
            return _fail(1, text, text, arguments, stdout)
    return 0


def _skip_unused_imports() -> None:
    """Hide packages from MONAI that it imports for notebooks and for a transform of ultrasound.

    Each takes a quarter of a second of the start of every command.
    """
    hidden: Any = None
    for name in ("matplotlib.pyplot", "scipy.signal"):
        sys.modules.setdefault(name, hidden)


def _escape_unencodable(*streams: TextIO) -> None:
    """Escape characters that a stream cannot encode (Windows pipes, LANG=C) instead of failing."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _wants_json(arguments: Sequence[str]) -> bool:
    """Return whether the arguments select JSON events, also if they cannot be parsed."""
    return "--events=jsonl" in arguments or (
        "--events" in arguments and arguments[arguments.index("--events") + 1 :][:1] == ["jsonl"]
    )


@contextmanager
def _stdout_for_events(active: bool) -> Iterator[None]:
    """Redirect all other output to standard error while events use standard output."""
    if not active:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def _fail(code: int, line: str, event: str, arguments: Sequence[str], stdout: TextIO) -> int:
    print(f"genseg: {line}", file=sys.stderr)
    if _wants_json(arguments):
        EventLog(None, [JsonLines(stdout)]).error(event)
    return code
