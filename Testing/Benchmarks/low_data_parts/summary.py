"""What the table of scores says of each group of trainings: means over the seeds, paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from comparing import gains, mean_by_case, mean_by_seed, paired_test

from .jobs import Job
from .tables import Row


@dataclass(frozen=True, order=True)
class Group:
    """The trainings that differ in their seed alone."""

    network: str
    arm: str
    labeled: int

    @classmethod
    def of(cls, row: Row) -> Group:
        """Give the group that a row belongs to."""
        job = Job.of(row)
        return cls(job.network, job.arm, job.labeled)


@dataclass(frozen=True)
class Standing:
    """How a group stands.

    Attributes:
        dice: mean Dice of each seed.
        hd95_mm: mean over the seeds.
        surface_dice: mean over the seeds.
        train_s: mean over the seeds, None where it is not known.
        segmenter_steps: of each training, "" where that is not known.
    """

    dice: dict[int, float]
    hd95_mm: float
    surface_dice: float
    train_s: float | None
    segmenter_steps: str

    @property
    def mean(self) -> float:
        """Mean Dice over the seeds."""
        return fmean(self.dice.values())

    @property
    def spread(self) -> float | None:
        """Standard deviation of the seeds' means; None where there is one."""
        return stdev(self.dice.values()) if len(self.dice) > 1 else None


class Summary:
    """The tables, group by group.

    Args:
        scores: rows of low_data.csv.
        costs: rows of low_data_costs.csv.
    """

    def __init__(self, scores: Sequence[Row], costs: Sequence[Row] = ()) -> None:
        self._scores = _grouped(scores)
        self._costs = _grouped(costs)
        self.standings = {group: self._standing(group) for group in sorted(self._scores)}

    def _standing(self, group: Group) -> Standing:
        def by_seed(name: str) -> dict[int, float]:
            return mean_by_seed(mean_by_case(self._scores[group], name))

        costs = self._costs.get(group, [])
        return Standing(
            dice=by_seed("dice"),
            hd95_mm=fmean(by_seed("hd95_mm").values()),
            surface_dice=fmean(by_seed("surface_dice").values()),
            train_s=fmean(float(row["train_s"]) for row in costs) if costs else None,
            segmenter_steps=costs[0]["segmenter_steps"] if costs else "",
        )

    def gains(self, ours: Group, theirs: Group) -> list[float]:
        """Give what Dice ours is ahead in each test case of the seeds that both have."""
        both = (mean_by_case(self._scores.get(group, []), "dice") for group in (ours, theirs))
        return gains(*both)

    def compare(self, ours: Group, theirs: Group) -> dict[str, float] | None:
        """Test ours against theirs, case by case; None where they have no case in common."""
        found = self.gains(ours, theirs)
        if not found:
            return None
        seeds = self.standings[ours].dice.keys() & self.standings[theirs].dice.keys()
        return {"seeds": len(seeds), **paired_test(found)}

    def curve(self, network: str, arm: str) -> dict[int, Standing]:
        """Give how an arm stands with each number of labeled cases."""
        return {
            group.labeled: standing
            for group, standing in self.standings.items()
            if (group.network, group.arm) == (network, arm)
        }


def _grouped(rows: Sequence[Row]) -> dict[Group, list[Row]]:
    found: dict[Group, list[Row]] = {}
    for row in rows:
        found.setdefault(Group.of(row), []).append(row)
    return found
