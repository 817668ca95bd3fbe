"""Main memory of this process: how much it uses, and how much is available to it.

Light: the standard library only; psutil is imported by the functions that measure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import GenSegError

_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_UNLIMITED = 1 << 60
_SHARE_OF_AVAILABLE = 0.8
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def parse_memory(text: str) -> int:
    """Parse an amount of memory such as 4G, 512M or 1.5GB into bytes; units are powers of 1024.

    Raises:
        GenSegError: the text is not an amount of memory.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match or float(match[1]) <= 0:
        raise GenSegError(f"{text!r} is not an amount of memory; use a form such as 4G or 512M")
    return int(float(match[1]) * _UNITS[match[2]])


def format_memory(amount: float) -> str:
    """Format bytes as 3.2 GB or 250 MB, in the units of `parse_memory`."""
    if amount >= _UNITS["g"]:
        return f"{amount / _UNITS['g']:.1f} GB"
    return f"{max(amount, 0) / _UNITS['m']:.0f} MB"


def default_memory_limit() -> int:
    """Return the memory in bytes that this process may use: its own and most of the available."""
    return resident_bytes() + int(_SHARE_OF_AVAILABLE * available_bytes())


def available_bytes() -> int:
    """Return the main memory in bytes that can still be allocated.

    It is the minimum of what the system has available, what the control groups of this process
    leave (containers, batch systems) and what its resource limits leave.
    """
    import psutil

    amounts = (psutil.virtual_memory().available, *_left_by_cgroups(), *_left_by_limits())
    return max(0, min(amounts))


def resident_bytes() -> int:
    """Return the resident memory of this process in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def _left_by_cgroups() -> Iterator[int]:
    """Yield what each control group of this process, version 1 or 2, leaves."""
    for folder, limit, used, cache in _cgroups():
        amount = _read(folder / limit).strip()
        if amount.isdigit() and int(amount) < _UNLIMITED:
            in_use = _read(folder / used).strip()
            reclaimable = re.search(rf"^{cache} (\d+)", _read(folder / "memory.stat"), re.MULTILINE)
            yield int(amount) - int(in_use or 0) + int(reclaimable[1] if reclaimable else 0)


def _cgroups() -> Iterator[tuple[Path, str, str, str]]:
    """Yield the folders of the groups, with the names of their limit, usage and file cache."""
    for line in _read(_OWN_CGROUPS).splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            root, names = _CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            root = _CGROUPS / "memory"
        else:
            continue
        inner = root / path.lstrip("/")
        for folder in (inner, *inner.parents):
            if folder == root or root in folder.parents:
                yield (folder, *names)


def _left_by_limits() -> Iterator[int]:
    import psutil

    process = psutil.Process()
    if not hasattr(process, "rlimit"):  # Linux only
        return
    used = process.memory_info()
    for limit, in_use in ((psutil.RLIMIT_AS, used.vms), (psutil.RLIMIT_DATA, used.data)):
        soft, _ = process.rlimit(limit)
        if soft != psutil.RLIM_INFINITY:
            yield soft - in_use


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
