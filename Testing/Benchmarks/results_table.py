"""Benchmark results: one CSV row per test case and label, and the statistics computed from them.

    python Testing/Benchmarks/results_table.py results/cohorts.csv [--against augmented]

prints the mean Dice of every arm as a Markdown table, and the paired comparison of each arm with
the one named by ``--against``. The unit of evidence is a training: means and standard errors are
over seeds; the interval is a bootstrap over the test cases within each seed.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import wilcoxon

COLUMNS = (
    "train", "test", "arm", "encoder", "labeled", "seed", "case", "label", "dice", "train_seconds",
)  # fmt: skip
# columns of some tables: which labels are learned, the time budget, and the cores that were used
VARIANT = ("task", "minutes", "cores")
JOB = ("train", "test", "arm", "encoder", "labeled", "seed", *VARIANT)
# arms are compared within one condition
CONDITION = ("train", "test", "encoder", "labeled", *VARIANT)
EQUAL_MARGIN = 0.005  # arms that differ by less Dice count as equal

Row = Mapping[str, object]
Cases = dict[tuple[int, str], float]  # (seed, case) -> Dice, averaged over the labels


class ResultsTable:
    """A CSV file that grows by one finished job at a time.

    Args:
        file: The table; it need not exist yet. Columns beyond `COLUMNS` are kept.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def rows(self) -> list[dict[str, str]]:
        """Return all rows, values as text."""
        if not self.file.is_file():
            return []
        with self.file.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    def has(self, **job: object) -> bool:
        """Return whether rows of this job exist, so that a resumed benchmark can skip it."""
        wanted = {name: str(value) for name, value in job.items()}
        return any(wanted.items() <= row.items() for row in self.rows())

    def append(self, rows: Sequence[Row]) -> None:
        """Add the rows of a finished job atomically; rows of the same job are replaced.

        Raises:
            ValueError: A row lacks one of `COLUMNS`.
        """
        for row in rows:
            if missing := set(COLUMNS) - row.keys():
                raise ValueError(f"row without {', '.join(sorted(missing))}: {dict(row)}")
        added = [{name: str(value) for name, value in row.items()} for row in rows]
        jobs = {_key(row) for row in added}
        with self._locked():
            table = [row for row in self.rows() if _key(row) not in jobs] + added
            extra = dict.fromkeys(name for row in table for name in row if name not in COLUMNS)
            temporary = self.file.with_suffix(f".{os.getpid()}.tmp")
            with temporary.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.DictWriter(stream, [*COLUMNS, *extra], restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(table)
            temporary.replace(self.file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the folder, so that several benchmarks may write to one table."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.file.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


@dataclass(frozen=True)
class Summary:
    """Mean Dice of one arm under one condition."""

    condition: tuple[str, ...]
    arm: str
    by_seed: dict[int, float]
    standard_error: float  # over seeds; NaN for a single one
    low: float  # 95 % bootstrap interval over cases
    high: float
    train_seconds: float  # mean over seeds

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return float(np.mean([*self.by_seed.values()]))


@dataclass(frozen=True)
class Comparison:
    """How much one arm is ahead of another on the cases that both have."""

    condition: tuple[str, ...]
    arm: str
    other: str
    gain: float  # mean over seeds
    standard_error: float  # of the gain over seeds; NaN for a single one
    low: float
    high: float
    better_in: int
    cases: int
    p_value: float  # Wilcoxon's signed-rank test over cases; blind to variation between runs


def summarize(rows: Iterable[Row]) -> list[Summary]:
    """Return the mean Dice of every arm under every condition."""
    rows = list(rows)
    found = []
    for (condition, arm), cases in _by_arm(rows).items():
        low, high = bootstrap(cases)
        seconds = {
            row["seed"]: float(str(row["train_seconds"]) or "nan")
            for row in rows
            if _condition(row) == condition and row["arm"] == arm
        }
        seeds = mean_by_seed(cases)
        mean_seconds = float(np.mean([*seconds.values()]))
        found.append(Summary(condition, arm, seeds, standard_error(seeds), low, high, mean_seconds))
    return sorted(found, key=lambda each: (each.condition, -each.mean))


def compare(rows: Iterable[Row], arm: str, other: str) -> list[Comparison]:
    """Compare two arms case by case under each condition that both were run in."""
    arms = _by_arm(rows)
    found = []
    for (condition, name), ours in arms.items():
        theirs = arms.get((condition, other), {})
        gains = {key: ours[key] - theirs[key] for key in sorted(ours.keys() & theirs.keys())}
        if name != arm or not gains:
            continue
        values, seeds = np.array([*gains.values()]), mean_by_seed(gains)
        found.append(
            Comparison(
                condition,
                arm,
                other,
                float(np.mean([*seeds.values()])),
                standard_error(seeds),
                *bootstrap(gains),
                int((values > 0).sum()),
                len(values),
                float(wilcoxon(values).pvalue) if values.any() else 1.0,
            )
        )
    return found


def mean_by_seed(cases: Mapping[tuple[int, str], float]) -> dict[int, float]:
    """Return the mean over the test cases of each seed."""
    seeds = sorted({seed for seed, _ in cases})
    return {
        seed: float(np.mean([value for (of, _), value in cases.items() if of == seed]))
        for seed in seeds
    }


def standard_error(by_seed: Mapping[int, float]) -> float:
    """Return the standard error of the mean over seeds; NaN for fewer than two."""
    values = np.array([*by_seed.values()])
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def bootstrap(cases: Mapping[tuple[int, str], float], samples: int = 2000) -> tuple[float, float]:
    """Return the 95 % interval of the mean over seeds when cases are resampled within each seed."""
    generator = np.random.default_rng(0)
    means = []
    for seed in sorted({seed for seed, _ in cases}):
        values = np.array([value for (of, _), value in cases.items() if of == seed])
        means.append(values[generator.integers(0, len(values), (samples, len(values)))].mean(1))
    low, high = np.quantile(np.mean(means, axis=0), (0.025, 0.975))
    return float(low), float(high)


def markdown(rows: Iterable[Row], against: str | None = None) -> str:
    """Return the table of means and, with `against`, that of paired comparisons."""
    rows = list(rows)
    lines = [
        "| train → test | network | labeled | arm | seeds | Dice ± SE | 95 % (cases) | train s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in summarize(rows):
        route, encoder, labeled = _describe(each.condition)
        lines.append(
            f"| {route} | {encoder} | {labeled} | {each.arm} | {len(each.by_seed)} | "
            f"{each.mean:.4f} ± {each.standard_error:.4f} | {each.low:.4f} to {each.high:.4f} | "
            f"{each.train_seconds:.0f} |"
        )
    if against:
        lines += [
            "",
            f"| train → test | network | labeled | arm − {against} | gain ± SE | 95 % (cases) | "
            "better in | p |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        for arm in sorted({str(row["arm"]) for row in rows} - {against}):
            for pair in compare(rows, arm, against):
                route, encoder, labeled = _describe(pair.condition)
                lines.append(
                    f"| {route} | {encoder} | {labeled} | {arm} | "
                    f"{pair.gain:+.4f} ± {pair.standard_error:.4f} | "
                    f"{pair.low:+.4f} to {pair.high:+.4f} | "
                    f"{pair.better_in} of {pair.cases} | {pair.p_value:.2g} |"
                )
    return "\n".join(lines)


def _by_arm(rows: Iterable[Row]) -> dict[tuple[tuple[str, ...], str], Cases]:
    """Group by condition and arm; average each case over its labels, leaving out missing ones."""
    found: dict = defaultdict(lambda: defaultdict(list))
    for row in rows:
        value = float(str(row["dice"]) or "nan")
        if not np.isnan(value):
            key = int(str(row["seed"])), str(row["case"])
            found[_condition(row), str(row["arm"])][key].append(value)
    return {
        group: {key: float(np.mean(values)) for key, values in cases.items()}
        for group, cases in found.items()
    }


def _describe(condition: Sequence[str]) -> tuple[str, str, str]:
    """Return cohorts with their variant, encoder, and number of labeled cases."""
    train, test, encoder, labeled, task, minutes, cores = condition
    notes = [task, f"{minutes} min" if minutes else "", f"cores: {cores}" if cores else ""]
    variant = ", ".join(note for note in notes if note)
    return f"{train} → {test}" + (f" ({variant})" if variant else ""), encoder, labeled


def _condition(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")) for name in CONDITION)


def _key(row: Row) -> tuple[str, ...]:
    return tuple(str(row.get(name, "")) for name in JOB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--against", help="arm that the others are compared with")
    args = parser.parse_args()
    print(markdown(ResultsTable(args.table).rows(), args.against))


if __name__ == "__main__":
    main()
