"""The processes of this machine: which one is there, and whether it is still the same.

Light: the standard library alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_PS_PATIENCE_S = 10.0


def process_lives(process: int) -> bool:
    """Tell whether a process of this machine is there."""
    if sys.platform == "win32":
        return _created_on_windows(process) is not None
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def process_start(process: int) -> str | None:
    """Give what tells a process from a later one of the same number; None where it has ended.

    It does not change while the process lives, whatever becomes of the machine's clock.
    """
    if sys.platform == "win32":
        return _created_on_windows(process)
    find = _start_on_linux if Path("/proc/self/stat").exists() else _start_by_ps
    return find(process)


def process_space() -> str:
    """Give what tells this machine's processes from those of a container on it; "" without any."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _start_on_linux(process: int) -> str | None:
    """Give the start in clock ticks since the machine started, and that machine start's id.

    See proc(5), and proc_pid_stat(5) for the fields.
    """
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot} {fields[18]}"


def _start_by_ps(process: int) -> str | None:
    command = ["/bin/ps", "-o", "lstart=", "-p", str(process)]
    try:
        told = subprocess.run(  # nosec B603
            command,
            capture_output=True,
            timeout=_PS_PATIENCE_S,
            check=False,
            env={"LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.decode("ascii", "replace").strip() or None


def _created_on_windows(process: int) -> str | None:
    """Ask Windows, where signal 0 would end the process."""
    import ctypes

    query_limited_information, still_active = 0x1000, 259
    kernel = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    handle = kernel.OpenProcess(query_limited_information, False, process)
    if not handle:
        return None
    code = ctypes.c_ulong()
    created, other = ctypes.c_ulonglong(), ctypes.c_ulonglong()
    kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    rest = [ctypes.byref(other)] * 3
    kernel.GetProcessTimes(handle, ctypes.byref(created), *rest)
    kernel.CloseHandle(handle)
    return str(created.value) if code.value == still_active else None
