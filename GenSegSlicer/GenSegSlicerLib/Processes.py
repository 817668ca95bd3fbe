"""Termination of process trees, and messages about how a process ended.

PythonSlicer is a launcher: the Python that trains is its child, and PyTorch's workers are children
of that. Killing the launcher alone would leave them running.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from slicer.i18n import tr as _

_PREFIX = "genseg: "


def killProcessTree(pid: int) -> None:
    """Kill a process and its descendants without waiting for them; a missing process is ignored.

    Without psutil, which is installed together with the other packages, only the process itself is
    killed.
    """
    if pid <= 0 or pid == os.getpid():
        return
    try:
        import psutil
    except ImportError:
        with suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        return
    with suppress(psutil.NoSuchProcess):
        _killTree(psutil.Process(pid), psutil.Error)
    if hasattr(os, "killpg"):  # children of a launcher that died first and led its own group
        with suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _killTree(root, error) -> None:  # type: ignore[no-untyped-def]  # psutil may be missing
    """Suspend the whole tree first, so that no process starts another one meanwhile."""
    suspended: list = []
    found = [root]
    while found:
        for process in found:
            with suppress(error):
                process.suspend()
        suspended += found
        found = [each for each in root.children(recursive=True) if each not in suspended]
    for process in suspended:
        with suppress(error):
            process.kill()


def restorePriority(pid: int) -> None:
    """Give a process that was just started normal priority, if the system allows it.

    On Linux, Slicer runs at the lowest priority (nice 19) because of its background threads, and
    processes inherit it.
    """
    if sys.platform != "win32":
        with suppress(OSError):
            if os.getpriority(os.PRIO_PROCESS, pid) > 0:
                os.setpriority(os.PRIO_PROCESS, pid, 0)


def lastErrorLine(text: str) -> str:
    """Return the last error that the command line reported, "" if there is none."""
    for line in reversed(text.splitlines()):
        if line.startswith(_PREFIX):
            return line[len(_PREFIX) :].strip().split("error: ", 1)[-1]
    return ""


def describeExit(code: int) -> str:
    """Describe an exit without an error message; a negative code is that of a signal."""
    name = ""
    with suppress(ValueError):
        name = signal.Signals(-code).name if code < 0 else ""
    if name == "SIGKILL":
        return _("the process was killed by the system, possibly because memory ran out")
    if name:
        return _("the process crashed ({signal})").format(signal=name)
    return _("the process ended without an error message (exit code {code})").format(code=code)
