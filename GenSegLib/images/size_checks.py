"""Check the size that a header declares before memory is allocated.

Light: the standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import GenSegError
from ..settings import MAX_SPACING, MIN_SPACING, is_spacing

ALWAYS_ALLOWED = 1 << 28  # bytes that any computer has
_MAX_COMPRESSION = 1100  # deflate reaches 1032


def require_plausible_size(path: Path, declared: int, files: Iterable[Path]) -> None:
    """Check that files can hold the declared voxel data and that it fits into memory.

    Args:
        path: file with the header, for the message.
        declared: size of the voxel data in bytes, uncompressed.
        files: files with the voxel data, compressed or not.

    Raises:
        GenSegError: the size is implausible or exceeds the memory.
    """
    if declared <= ALWAYS_ALLOWED:
        return
    present = sum(file.stat().st_size for file in files if file.is_file())
    if declared > _MAX_COMPRESSION * present:
        raise GenSegError(
            f"{path}: the header declares {_format_size(declared)} of voxels, more than its "
            f"{present} bytes can hold; copy or export the file again"
        )
    memory = _total_memory()
    if declared > memory:
        raise GenSegError(
            f"{path}: {_format_size(declared)} of voxels exceed this computer's memory "
            f"({_format_size(memory)}); crop or resample the image"
        )


def spacing_problem(spacing: Sequence[float]) -> str:
    """Return why a voxel spacing in mm is implausible; empty if it is plausible.

    Micro-CT has 0.006 mm; micrometers or meters that are taken for millimeters are beyond it.
    """
    if is_spacing(spacing, len(spacing)):
        return ""
    found = " x ".join(f"{step:.4g}" for step in spacing)
    return (
        f"implausible spacing {found} mm (outside {MIN_SPACING:g} to {MAX_SPACING:g} mm); "
        "correct the unit or the spacing in the header"
    )


def require_plausible_spacing(spacing: Sequence[float]) -> None:
    """Raise GenSegError with `spacing_problem`, if there is one."""
    problem = spacing_problem(spacing)
    if problem:
        raise GenSegError(problem)


def _total_memory() -> int:
    """Return the memory in bytes; practically unlimited where unknown (Windows)."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 1 << 50


def _format_size(size: int) -> str:
    return f"{size / 2**30:.0f} GB" if size < 2**40 else f"{size / 2**40:.0f} TB"
