"""The result of checking a case, and the table of `genseg check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..data.case_fingerprint import CaseFingerprint
from ..text_table import text_table

EMPTY_LABEL = "the label is empty; segment the case or leave it out"
NOTHING_LABELED = "the label is empty: the case counts as one without any of the classes"

_HEADINGS = ("case", "shape", "spacing (mm)", "axes", "intensity", "voxels per label", "status")


@dataclass(frozen=True)
class CaseCheck:
    """Properties and problems of a case; what could not be read is empty.

    Attributes:
        case: its name.
        shape: number of voxels along each axis.
        spacing: in mm, or pixels.
        unit: of the spacing, "mm" or "px".
        orientation: such as "RAS".
        intensity: smallest and largest finite value.
        voxels: number of voxels of each annotated label value, without background.
        ignored: number of voxels that nobody annotated.
        errors: problems that prevent a training.
        warnings: unusual findings.
        duplicate_of: name of an earlier case with the same image; "" if there is none.
        fingerprint: what planning needs to know of it.
    """

    case: str
    shape: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    orientation: str = ""
    unit: str = "mm"
    intensity: tuple[float, float] | None = None
    voxels: dict[int, int] = field(default_factory=dict)
    ignored: int = 0
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    duplicate_of: str = ""
    fingerprint: CaseFingerprint | None = field(default=None, compare=False, repr=False)

    @property
    def ok(self) -> bool:
        """Whether the case can be used for training."""
        return not self.errors

    @property
    def status(self) -> str:
        """A short summary for the table."""
        if self.ok:
            return "warning" if self.warnings else "ok"
        return "1 error" if len(self.errors) == 1 else f"{len(self.errors)} errors"


def format_table(checks: Sequence[CaseCheck]) -> str:
    """Return a table for the terminal: a row per case, then messages, then a summary."""
    unit = "px" if any(check.unit == "px" for check in checks) else "mm"
    headings = tuple(title.replace("mm", unit) for title in _HEADINGS)
    rows = [headings, *(_row(check) for check in checks)]
    errors = [f"{check.case}: {text}" for check in checks for text in check.errors]
    warnings = [f"{check.case}: {text}" for check in checks for text in check.warnings]
    passed = sum(check.ok for check in checks)
    table = text_table(rows, underlined=True)
    return "\n".join([table, "", *errors, *warnings, f"{passed} of {len(checks)} cases passed"])


def _row(check: CaseCheck) -> tuple[str, ...]:
    cells = (
        check.case,
        "x".join(map(str, check.shape)),
        "x".join(f"{step:.3g}" for step in check.spacing),
        check.orientation,
        "{:g} to {:g}".format(*check.intensity) if check.intensity else "",
        " ".join(
            [f"{value}:{count}" for value, count in sorted(check.voxels.items())]
            + ([f"ignored:{check.ignored}"] if check.ignored else [])
        ),
        check.status,
    )
    return tuple(cell or "-" for cell in cells)
