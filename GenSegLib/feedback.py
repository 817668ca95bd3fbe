"""User feedback on generated pairs: rejected in the previews, excluded by the training.

RUN/previews/STEP/pairs.json   source cases and kind of change of each generated pair
RUN/feedback.json              what was rejected; the training reads it between rounds

Light: the standard library only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import GenSegError
from .files import read_json, write_json

PAIRS = "pairs.json"
FEEDBACK = "feedback.json"
KINDS = (
    *("blending", "deformation", "contrast", "gamma", "saturation", "hue", "white_balance"),
    *("time_gain", "speckle", "hair", "highlights", "noise", "bias_field"),
)
WEAKER = 0.5  # factor of a kind's strength per rejection


@dataclass(frozen=True)
class PreviewPair:
    """A generated pair of a preview: its files, its source cases and its kind of change."""

    name: str
    image: Path
    label: Path
    cases: tuple[str, ...]
    kind: str


def write_preview_pairs(folder: Path, origins: Mapping[str, tuple[Sequence[str], str]]) -> None:
    """Write the source cases and the kind of each generated pair of a preview folder, by name."""
    pairs = [
        {"name": name, "cases": list(cases), "kind": kind}
        for name, (cases, kind) in origins.items()
    ]
    write_json(folder / PAIRS, {"pairs": pairs})


def read_preview_pairs(folder: Path) -> list[PreviewPair]:
    """Read the generated pairs of a preview folder; [] if it has none.

    Raises:
        GenSegError: the list of pairs is corrupted.
    """
    path = folder / PAIRS
    if not path.is_file():
        return []
    try:
        return [_pair(folder, entry) for entry in read_json(path)["pairs"]]
    except (KeyError, TypeError) as error:
        raise GenSegError(f"{path} is corrupted; this preview cannot be reviewed") from error


def _pair(folder: Path, entry: Mapping[str, Any]) -> PreviewPair:
    name = str(entry["name"])
    image, label = (folder / f"{name}_{part}.nii.gz" for part in ("image", "label"))
    return PreviewPair(name, image, label, tuple(map(str, entry["cases"])), str(entry["kind"]))


@dataclass
class Feedback:
    """Rejections.

    Attributes:
        pairs: pairs of cases that are no longer blended with each other.
        kinds: number of rejections of each kind of change.
    """

    pairs: set[frozenset[str]] = field(default_factory=set)
    kinds: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, run: Path) -> Feedback:
        """Read the feedback on a run; empty if there is none.

        Raises:
            GenSegError: the file is corrupted.
        """
        path = run / FEEDBACK
        if not path.is_file():
            return cls()
        try:
            return cls.from_json(read_json(path))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise GenSegError(f"{path} is corrupted; delete it to reset the feedback") from error

    def save(self, run: Path) -> None:
        """Write the feedback to a run folder, from which its training reads it."""
        write_json(run / FEEDBACK, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the rejections as JSON values."""
        return {
            "rejected_pairs": sorted(sorted(pair) for pair in self.pairs),
            "rejected_kinds": dict(sorted(self.kinds.items())),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Feedback:
        """Parse the result of `to_json`; unknown kinds are ignored."""
        pairs = {frozenset(map(str, pair)) for pair in values["rejected_pairs"]}
        kinds = {str(kind): max(0, int(count)) for kind, count in values["rejected_kinds"].items()}
        return cls(pairs, {kind: count for kind, count in kinds.items() if kind in KINDS})

    def reject(self, pair: PreviewPair) -> None:
        """Exclude the pair, and all others of its two cases, from the training."""
        self.pairs.add(frozenset(pair.cases))

    def withdraw(self, pair: PreviewPair) -> None:
        """Withdraw the rejection of a pair."""
        self.pairs.discard(frozenset(pair.cases))

    def rejects(self, pair: PreviewPair) -> bool:
        """Return whether the pair is excluded from the training."""
        return frozenset(pair.cases) in self.pairs

    def reject_kind(self, kind: str) -> None:
        """Halve the strength of a kind of change."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def withdraw_kind(self, kind: str) -> None:
        """Restore the full strength of a kind of change."""
        self.kinds.pop(kind, None)

    def strength(self, kind: str) -> float:
        """Return the factor of a kind's strength, 1 if it was never rejected."""
        return float(WEAKER ** self.kinds.get(kind, 0))
