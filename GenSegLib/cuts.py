"""Where annotators part one structure into two labels: at a plane of the voxel grid.

The head of a hippocampus ends, and its body begins, in a slice that a protocol names; no tissue
shows it. Light: the standard library alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .values import is_count, is_number

AXES = "RLAPSI"


@dataclass(frozen=True)
class Cut:
    """A plane that parts two labels.

    Attributes:
        labels: the values before and behind the plane, as seen along the axis.
        axis: where the axis points to: right, left, anterior, posterior, superior or inferior.
        share: the part of the length of both along the axis that lies before the plane.
    """

    labels: tuple[int, int]
    axis: str
    share: float

    def __post_init__(self) -> None:
        """Refuse what no training writes.

        Raises:
            ValueError: an entry is not sound.
        """
        sound = len(self.labels) == 2 and all(map(is_count, self.labels)) and 0 not in self.labels
        sound = sound and isinstance(self.axis, str) and len(self.axis) == 1 and self.axis in AXES
        if not (sound and is_number(self.share) and 0 < self.share < 1):
            raise ValueError(f"a cut is {self!r}")

    def to_json(self) -> dict[str, Any]:
        """Give the cut as JSON values; `from_json` reads them back unchanged."""
        return {"labels": list(self.labels), "axis": self.axis, "share": self.share}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Cut:
        """Read what `to_json` gives.

        Raises:
            KeyError, TypeError, ValueError: an entry is missing or not sound.
        """
        return cls(tuple(values["labels"]), values["axis"], values["share"])
