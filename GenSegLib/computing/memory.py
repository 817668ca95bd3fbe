"""How much memory there is, in this process's reach, and how much of it is taken.

Light: the standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import GenSegError

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_UNLIMITED = 1 << 60
_UNKNOWN = 4 << 30
_SHARE_OF_FREE = 0.8
_GROUPS = Path("/sys/fs/cgroup")
_PROCESS = Path("/proc/self")
_MEMINFO = Path("/proc/meminfo")


def parse_memory(text: str) -> int:
    """Read an amount of memory such as 4G, 512M or 1.5GB, in bytes; K, M, G, T count by 1024.

    Raises:
        GenSegError: it is none.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if not found or float(found[1]) <= 0:
        raise GenSegError(f"{text!r} is no amount of memory; write it such as 4G or 512M")
    return int(float(found[1]) * _UNITS[found[2]])


def describe_memory(amount: float) -> str:
    """Give bytes as a person says them: 3.2 GB, 250 MB (by 1024, as `parse_memory` reads them)."""
    if amount >= _UNITS["g"]:
        return f"{amount / _UNITS['g']:.1f} GB"
    return f"{max(amount, 0) / _UNITS['m']:.0f} MB"


def default_limit() -> int:
    """Give what the process may take of main memory: what it has, and most of what is free."""
    return resident() + int(_SHARE_OF_FREE * free_memory())


def free_memory() -> int:
    """Give the main memory in bytes that can still be taken, by whatever limits it.

    That is the least of what the system has available, what the process's control groups leave
    it (containers, batch systems), and its own resource limits. Where nothing can be learned it
    is taken for 4 GB.
    """
    known = (*_of_the_system(), *_of_the_groups(), *_of_the_limits())
    return max(0, min(known, default=_UNKNOWN))


def resident() -> int:
    """Give the main memory in bytes that this process holds; 0 where the system does not tell."""
    return _status("VmRSS")


def peak_resident() -> int:
    """Give the most main memory in bytes that this process has held; 0 where it is not told."""
    return _status("VmHWM")


def _of_the_system() -> Iterator[int]:
    available = _field(_MEMINFO, "MemAvailable")
    if available:
        yield available
    elif sys.platform == "win32":
        yield _of_windows()
    elif hasattr(os, "sysconf"):
        names = os.sysconf_names
        pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in names else "SC_PHYS_PAGES"
        share = 1.0 if pages == "SC_AVPHYS_PAGES" else 0.5  # macOS tells only what is built in
        yield int(share * os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE"))


def _of_the_groups() -> Iterator[int]:
    """Give what each control group around the process leaves, of version 2 and 1."""
    for folder, limit, used, cache in _groups():
        most = _number(folder / limit)
        if most is not None and most < _UNLIMITED:
            reclaimable = _field(folder / "memory.stat", cache, unit=1)
            yield most - (_number(folder / used) or 0) + reclaimable


def _groups() -> Iterator[tuple[Path, str, str, str]]:
    """Give the folders of the groups, and the names of their limit, use and file cache."""
    for line in _text(_PROCESS / "cgroup").splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            root, names = _GROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            root = _GROUPS / "memory"
        else:
            continue
        inner = root / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder == root or root in folder.parents:
                yield (folder, *names)


def _of_the_limits() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    for limit, field in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most, _ = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY:
            yield most - _status(field)


def _of_windows() -> int:
    """Ask Windows for `ullAvailPhys` (MEMORYSTATUSEX, learn.microsoft.com)."""

    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            ("total", ctypes.c_uint64),
            ("available", ctypes.c_uint64),
            ("others", ctypes.c_uint64 * 5),
        )

    status = Status(length=ctypes.sizeof(Status))
    windll = getattr(ctypes, "windll")  # noqa: B009 - only there on Windows
    windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.available)


def _status(name: str) -> int:
    return _field(_PROCESS / "status", name)


def _field(file: Path, name: str, unit: int = 1 << 10) -> int:
    """Find a line `name: number` or `name number`, in `unit` bytes; 0 where there is none."""
    found = re.search(rf"^{name}:?\s+(\d+)", _text(file), re.MULTILINE)
    return int(found[1]) * unit if found else 0


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
