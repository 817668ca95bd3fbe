"""One training of the benchmark: an arm with a network, a number of labeled cases, and a seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

KEY = ("network", "arm", "labeled", "seed")


@dataclass(frozen=True, order=True)
class Job:
    """A training: its four values are the first columns of every table of results."""

    network: str
    arm: str
    labeled: int
    seed: int

    @classmethod
    def of(cls, row: Mapping[str, str]) -> Job:
        """Give the job that a row of a table belongs to."""
        return cls(row["network"], row["arm"], int(row["labeled"]), int(row["seed"]))

    def columns(self) -> dict[str, str]:
        """Give the columns of its rows, as a table's reader gives them."""
        return {name: str(value) for name, value in asdict(self).items()}

    def folder(self, runs: Path, pattern: str = "{network}/{arm}-{labeled}-{seed}") -> Path:
        """Give its run folder; an arm's variant is written behind a colon, which no folder has."""
        return runs / pattern.format(**asdict(self)).replace(":", "_")

    def __str__(self) -> str:
        return f"{self.arm} {self.network} N={self.labeled} seed {self.seed}"


def jobs_of(
    networks: Iterable[str], arms: Iterable[str], labeled: Iterable[int], seeds: Iterable[int]
) -> list[Job]:
    """Give each combination; one seed is finished before the next begins."""
    return [
        Job(network, arm, count, seed)
        for seed, count, network, arm in product(seeds, labeled, networks, arms)
    ]
