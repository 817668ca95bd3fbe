"""What a header claims, held to what the file can hold, before any memory is asked for.

Light: the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import GenSegError

HARMLESS = 1 << 28  # bytes that any machine has
_TIGHTEST = 1100  # deflate packs at most 1032 bytes into one


def require_plausible(path: Path, claimed: int, files: Iterable[Path]) -> None:
    """Make sure that so many bytes of voxels can come out of these files, and fit this machine.

    Args:
        path: what the header is of, for the message.
        claimed: the bytes that the header asks for.
        files: those that hold the voxels, packed or not.

    Raises:
        GenSegError: they cannot.
    """
    if claimed <= HARMLESS:
        return
    present = sum(file.stat().st_size for file in files if file.is_file())
    if claimed > _TIGHTEST * present:
        raise GenSegError(
            f"{path}: the header claims {_shown(claimed)} of voxels, more than its {present} bytes "
            "can hold; copy or export it again"
        )
    memory = _machine_memory()
    if claimed > memory:
        raise GenSegError(
            f"{path}: {_shown(claimed)} of voxels do not fit the {_shown(memory)} memory of this "
            "machine; crop or resample it first"
        )


def _machine_memory() -> int:
    """Give the bytes of memory; where the system does not tell (Windows), more than any has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 50


def _shown(size: int) -> str:
    return f"{size / 2**30:.0f} GB" if size < 2**40 else f"{size / 2**40:.0f} TB"
