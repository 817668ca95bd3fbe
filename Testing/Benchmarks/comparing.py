"""Compares arms by their scores, a row a test case and label: means, spread, and paired tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy.stats import wilcoxon

Row = Mapping[str, object]
Key = tuple[int, str]  # seed and test case


def mean_by_case(rows: Iterable[Row], name: str) -> dict[Key, float]:
    """Return each test case's mean over its labels; a label that a case lacks has no score."""
    found: dict[Key, list[float]] = {}
    for row in rows:
        value = float(str(row[name]))
        if not np.isnan(value):
            found.setdefault((int(str(row["seed"])), str(row["case"])), []).append(value)
    return {key: float(np.mean(values)) for key, values in found.items()}


def mean_by_seed(by_case: Mapping[Key, float]) -> dict[int, float]:
    """Return the mean over the test cases of each seed."""
    seeds = sorted({seed for seed, _ in by_case})
    return {
        seed: float(np.mean([value for (of, _), value in by_case.items() if of == seed]))
        for seed in seeds
    }


def gains(ours: Mapping[Key, float], theirs: Mapping[Key, float]) -> list[float]:
    """Return what ours is ahead in each test case that both have."""
    return [ours[key] - theirs[key] for key in sorted(ours.keys() & theirs.keys())]


def paired_test(differences: Sequence[float]) -> dict[str, float]:
    """Compare two arms case by case: Wilcoxon's signed-rank test, two-sided."""
    values = np.asarray(differences)
    p_value = float(wilcoxon(values).pvalue) if values.any() else 1.0
    return {
        "cases": len(values),
        "mean_gain": round(float(values.mean()), 4),
        "better_in": int((values > 0).sum()),
        "wilcoxon_p": float(f"{p_value:.3g}"),
    }


def paired_tests(
    rows: Sequence[Row], arm: str, others: Iterable[str], name: str
) -> dict[str, dict[str, float]]:
    """Compare a score of one arm with that of each other one, case by case."""
    by_arm = {
        each: mean_by_case([row for row in rows if row["arm"] == each], name)
        for each in (arm, *others)
    }
    ours = by_arm.pop(arm)
    found = {other: gains(ours, theirs) for other, theirs in by_arm.items()}
    return {other: paired_test(each) for other, each in found.items() if each}
