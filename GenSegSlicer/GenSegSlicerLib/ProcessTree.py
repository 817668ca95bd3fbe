"""Ends a process together with all that it started, with the standard library alone.

PythonSlicer is a launcher: the Python that trains is its child, and PyTorch's workers are the
children of that. To end the launcher alone would leave them running.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

_GONE = (ProcessLookupError, PermissionError)
_PATIENCE_S = 5


def killTree(pid: int) -> None:
    """End a process and its descendants at once, without waiting for them to be gone.

    Nothing happens where there is no such process.
    """
    if pid <= 0 or pid == os.getpid():
        return
    if sys.platform == "win32":
        _killOnWindows(pid)
    else:
        _killOnPosix(pid)


def _killOnWindows(pid: int) -> None:
    # by its whole path: Windows would take one that lies in the working folder first; and a number
    # is all that varies
    program = Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32" / "taskkill.exe"
    subprocess.Popen(  # nosec B603
        [str(program), "/F", "/T", "/PID", str(pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def _killOnPosix(pid: int) -> None:
    """Halt the whole tree first, so that nothing new is started while it is ended."""
    halted: list[int] = []
    found = [pid]
    while found:
        for each in found:
            with suppress(*_GONE):
                os.kill(each, signal.SIGSTOP)
        halted += found
        parentOf = _parents()
        found = [child for child, of in parentOf.items() if of in halted and child not in halted]
    for each in halted:
        with suppress(*_GONE):
            os.kill(each, signal.SIGKILL)
    with suppress(*_GONE):  # of a launcher that died alone, where it led a group of its own
        os.killpg(pid, signal.SIGKILL)


def _parents() -> dict[int, int]:
    """The parent of each process of this machine."""
    if sys.platform.startswith("linux"):
        return dict(_readStat(folder) for folder in Path("/proc").glob("[0-9]*"))
    command = ["ps", "-A", "-o", "pid=,ppid="]
    listed = subprocess.run(  # nosec B603
        command, capture_output=True, timeout=_PATIENCE_S, check=False
    )
    rows = (line.split() for line in listed.stdout.splitlines())
    return {int(row[0]): int(row[1]) for row in rows if len(row) == 2}


def _readStat(folder: Path) -> tuple[int, int]:
    """Process and parent; the parent is 0 where the process ended meanwhile."""
    try:
        text = (folder / "stat").read_text(errors="replace")
    except OSError:
        return int(folder.name), 0
    return int(folder.name), int(text.rpartition(")")[2].split()[1])
