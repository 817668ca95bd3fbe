"""What a process of GenSegLib said and how it ended, as one line for the user."""

from __future__ import annotations

import signal
from contextlib import suppress

from slicer.i18n import tr as _

_PREFIX = "genseg: "


def lastFault(text: str) -> str:
    """The last line in which GenSegLib's command line told a fault, "" where there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith(_PREFIX):
            return line[len(_PREFIX) :].strip().split("error: ", 1)[-1]
    return ""


def describeEnd(code: int) -> str:
    """Say how a process ended that told no reason; a negative code is that of a signal."""
    name = ""
    with suppress(ValueError):
        name = signal.Signals(-code).name if code < 0 else ""
    if name == "SIGKILL":
        return _("the process was ended from outside, which systems do when memory runs out")
    if name:
        return _("the process crashed ({signal})").format(signal=name)
    return _("the process ended without a word (exit code {code})").format(code=code)
