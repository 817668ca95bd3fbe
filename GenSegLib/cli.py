"""The command line `genseg`: reads the arguments, calls the verb, and tells faults in one line.

Exit codes: 0 done, 2 a fault that the user can mend, 1 a bug, 130 interrupted.
Light, as every module in `commands` is: what is heavy is imported by the verb that needs it.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn, TextIO

from . import __version__
from .commands import COMMANDS
from .errors import GenSegError
from .events import EventLog
from .progress import JsonLines

_EPILOG = """\
Start with:
  genseg demo                   see the whole job on made-up volumes, in about five minutes
  genseg check DATA             look whether your own cases are sound
  genseg train DATA --preset hippocampus-mri --out runs/first
  genseg predict runs/first NEW_IMAGES --out predictions

`genseg VERB --help` explains a verb and gives an example.
Research use only: GenSeg is no medical device."""


_HINTS = {
    errno.EACCES: "you may not look there; ask its owner or choose another path",
    errno.EPERM: "you may not look there; ask its owner or choose another path",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "its links lead in a circle; choose another path",
}


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of printing the usage: one line says what is wrong.

    Names of options are taken as they are, since programs look for them before it does.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        raise GenSegError(f"{message} (see: {self.prog} --help)")


def build_parser() -> argparse.ArgumentParser:
    """Make the parser of all verbs."""
    parser = _Parser(
        prog="genseg",
        description="Train a model that segments your volumes, from a handful segmented already.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"genseg {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb", required=True)
    for command in COMMANDS:
        verb = verbs.add_parser(
            command.VERB,
            help=command.SUMMARY,
            description=f"{command.SUMMARY[0].upper()}{command.SUMMARY[1:]}.",
            epilog=f"example:\n{command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(verb)
        verb.set_defaults(run=command.run, events="terminal")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; gives the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    stdout = sys.stdout
    _spell_out_what_terminals_lack(sys.stdout, sys.stderr)
    with _only_events_on_stdout(_wants_json(arguments)):
        try:
            args = build_parser().parse_args(arguments)
            args.stdout = stdout
            with _missing_packages_told():
                args.run(args)
        except GenSegError as fault:
            text = " ".join(str(fault).split())
            _tell(f"error: {text}", text, arguments, stdout)
            return 2
        except KeyboardInterrupt:
            _tell("interrupted", "interrupted", arguments, stdout)
            return 130
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
            return 0
        except Exception as fault:
            if (line := _closed_path(fault)) is not None:
                _tell(f"error: {line}", line, arguments, stdout)
                return 2
            traceback.print_exc()
            text = f"this is a bug in GenSeg, please report it with the lines above ({fault!r})"
            _tell(text, text, arguments, stdout)
            return 1
    return 0


def _closed_path(fault: Exception) -> str | None:
    """Say what the user can do about a path that cannot be looked at; None for other faults."""
    if isinstance(fault, OSError) and fault.filename and fault.errno in _HINTS:
        return f"{fault.filename}: {_HINTS[fault.errno]}"
    return None


def _spell_out_what_terminals_lack(*streams: TextIO) -> None:
    """Let a letter that a terminal's encoding has not (a Windows pipe, LANG=C) end no work."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _wants_json(arguments: Sequence[str]) -> bool:
    """Tell, before the arguments are parsed, whether standard output belongs to the events."""
    return "--events=jsonl" in arguments or (
        "--events" in arguments and arguments[arguments.index("--events") + 1 :][:1] == ["jsonl"]
    )


@contextmanager
def _only_events_on_stdout(active: bool) -> Iterator[None]:
    """Send what is printed, by whomever, to standard error while events use standard output."""
    if not active:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def _missing_packages_told() -> Iterator[None]:
    """Make a package that is not installed a fault that the user can mend."""
    try:
        yield
    except ModuleNotFoundError as fault:
        package = (fault.name or "").split(".")[0]
        if package in ("", __package__):
            raise
        raise GenSegError(
            f"the Python package {package} is not installed for {sys.executable}; install it first"
        ) from fault


def _tell(line: str, event: str, arguments: Sequence[str], stdout: TextIO) -> None:
    print(f"genseg: {line}", file=sys.stderr)
    if _wants_json(arguments):
        EventLog(None, [JsonLines(stdout)]).error(event)
