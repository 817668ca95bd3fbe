"""The table of `genseg check`: a line a case, then the faults, then the sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import CaseCheck

_HEADINGS = ("case", "shape", "spacing (mm)", "axes", "intensity", "voxels a label", "verdict")


def format_table(checks: Sequence[CaseCheck]) -> str:
    """Lay out the checks for a terminal; what could not be read is a dash."""
    rows = [_HEADINGS, *(_row(check) for check in checks)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    faults = [f"{check.case}: {fault}" for check in checks for fault in check.faults]
    sound = sum(check.ok for check in checks)
    odd = [f"{check.case}: {remark}" for check in checks for remark in check.remarks]
    return "\n".join([*lines, "", *faults, *odd, f"{sound} of {len(checks)} cases are sound"])


def _row(check: CaseCheck) -> tuple[str, ...]:
    intensity = "{:g} to {:g}".format(*check.intensity) if check.intensity else ""
    cells = (
        check.case,
        "x".join(map(str, check.shape)),
        "x".join(f"{step:.3g}" for step in check.spacing),
        check.orientation,
        intensity,
        " ".join(f"{value}:{count}" for value, count in sorted(check.voxels.items())),
        check.verdict,
    )
    return tuple(cell or "-" for cell in cells)
