"""Commands of `genseg` in the process of the tests."""

from __future__ import annotations

import pytest

from GenSegLib.cli import main


def genseg(*arguments: object) -> int:
    """Run a command and return its exit code."""
    return main([str(argument) for argument in arguments])


def error_of(capture: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that fails and return the one line of its error."""
    assert genseg(*arguments) == 2
    lines = capture.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("genseg: error: ")
    return lines[0].removeprefix("genseg: error: ")
