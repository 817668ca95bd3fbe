"""What a clinician thinks of generated pairs: looked at in the previews, followed by the training.

RUN/previews/STEP/pairs.json   which cases and which change each generated pair came from
RUN/feedback.json              which of them were rejected; the training reads it between rounds

Light: the standard library alone.
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
KINDS = ("blending", "deformation", "contrast", "gamma", "noise", "bias_field")
WEAKER = 0.5  # what each rejection of a kind leaves of its strength


@dataclass(frozen=True)
class PreviewPair:
    """A generated pair of a preview: its files, the cases it lies between, and its one change."""

    name: str
    image: Path
    label: Path
    cases: tuple[str, ...]
    kind: str


def write_preview_pairs(folder: Path, made_of: Mapping[str, tuple[Sequence[str], str]]) -> None:
    """Write down the cases and the kind of each generated pair of a preview folder, by its name."""
    pairs = [
        {"name": name, "cases": list(cases), "kind": kind}
        for name, (cases, kind) in made_of.items()
    ]
    write_json(folder / PAIRS, {"pairs": pairs})


def read_preview_pairs(folder: Path) -> list[PreviewPair]:
    """Read the generated pairs of a preview folder; [] where it has none.

    Raises:
        GenSegError: the list of the pairs is damaged.
    """
    path = folder / PAIRS
    if not path.is_file():
        return []
    try:
        return [_pair(folder, entry) for entry in read_json(path)["pairs"]]
    except (KeyError, TypeError) as fault:
        raise GenSegError(f"{path} is damaged; the preview cannot be judged") from fault


def _pair(folder: Path, entry: Mapping[str, Any]) -> PreviewPair:
    name = str(entry["name"])
    image, label = (folder / f"{name}_{part}.nii.gz" for part in ("image", "label"))
    return PreviewPair(name, image, label, tuple(map(str, entry["cases"])), str(entry["kind"]))


@dataclass
class Feedback:
    """What was rejected.

    Attributes:
        pairs: pairs of cases that are no longer blended with each other.
        kinds: how often each kind of change was rejected.
    """

    pairs: set[frozenset[str]] = field(default_factory=set)
    kinds: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, run: Path) -> Feedback:
        """Read the feedback on a run; nothing is rejected where there is none.

        Raises:
            GenSegError: the file is damaged.
        """
        path = run / FEEDBACK
        if not path.is_file():
            return cls()
        try:
            return cls.from_json(read_json(path))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as fault:
            raise GenSegError(f"{path} is damaged; remove it to reject nothing") from fault

    def save(self, run: Path) -> None:
        """Write the feedback into a run folder, where its training finds it."""
        write_json(run / FEEDBACK, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Give what was rejected as JSON values."""
        return {
            "rejected_pairs": sorted(sorted(pair) for pair in self.pairs),
            "rejected_kinds": dict(sorted(self.kinds.items())),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Feedback:
        """Read what `to_json` gives; kinds that are not known are left out."""
        pairs = {frozenset(map(str, pair)) for pair in values["rejected_pairs"]}
        kinds = {str(kind): max(0, int(count)) for kind, count in values["rejected_kinds"].items()}
        return cls(pairs, {kind: count for kind, count in kinds.items() if kind in KINDS})

    def reject(self, pair: PreviewPair) -> None:
        """Keep the pair, and all others between its two cases, out of the training."""
        self.pairs.add(frozenset(pair.cases))

    def withdraw(self, pair: PreviewPair) -> None:
        """Take the rejection of a pair back."""
        self.pairs.discard(frozenset(pair.cases))

    def rejects(self, pair: PreviewPair) -> bool:
        """Tell whether the pair is kept out of the training."""
        return frozenset(pair.cases) in self.pairs

    def reject_kind(self, kind: str) -> None:
        """Make a kind of change weaker: each time half as strong."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def withdraw_kind(self, kind: str) -> None:
        """Give a kind of change its full strength back."""
        self.kinds.pop(kind, None)

    def strength(self, kind: str) -> float:
        """Return what is left of a kind's strength, 1 where it was never rejected."""
        return float(WEAKER ** self.kinds.get(kind, 0))
