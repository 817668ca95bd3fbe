"""What the tables of scanner_shift.py say: Dice and calibration of every arm under every change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from comparing import gains, mean_by_case, mean_by_seed, paired_test

from .jobs import Job
from .tables import Row

UNCHANGED, ALL_CHANGES = "none", "mean of the changes"


def shift_summary(scores: Sequence[Row], bins: Sequence[Row]) -> dict[str, object]:
    """Return means over the seeds and the paired tests of `genseg` against the other arms."""
    arms = _arms(scores)
    shifts = [*dict.fromkeys(row["shift"] for row in scores), ALL_CHANGES]
    return {
        "seeds": {
            arm: sorted({int(row["seed"]) for row in scores if _arm(row) == arm}) for arm in arms
        },
        "dice": {arm: {s: _mean(_rows(scores, arm, s), "dice") for s in shifts} for arm in arms},
        "case_ece": {arm: {s: _mean(_rows(scores, arm, s), "ece") for s in shifts} for arm in arms},
        "ece": {arm: {s: _pooled_ece(_rows(bins, arm, s)) for s in shifts} for arm in arms},
        "dice_genseg_against": _against(scores, shifts, "dice"),
        "ece_genseg_against": _against(scores, shifts, "ece"),
    }


def _against(scores: Sequence[Row], shifts: Iterable[str], name: str) -> dict[str, object]:
    arms = _arms(scores)
    ours = next((arm for arm in arms if arm.startswith("genseg ")), None)
    if ours is None:
        return {}
    found = {}
    for other in arms:
        if other != ours:
            pairs = {shift: _gains(scores, shift, ours, other, name) for shift in shifts}
            found[other] = {shift: paired_test(pair) for shift, pair in pairs.items() if pair}
    return found


def _gains(scores: Sequence[Row], shift: str, ours: str, other: str, name: str) -> list[float]:
    """Give what ours is better by in each case: more Dice, or less calibration error."""
    first, second = (mean_by_case(_rows(scores, arm, shift), name) for arm in (ours, other))
    return gains(second, first) if name == "ece" else gains(first, second)


def _mean(rows: Sequence[Row], name: str) -> float:
    return round(float(np.mean([*mean_by_seed(mean_by_case(rows, name)).values()])), 4)


def _pooled_ece(rows: Sequence[Row]) -> float:
    """Return the calibration error of all voxels of a seed, and its mean over seeds and changes."""
    errors = []
    for part in {(row["seed"], row["shift"]) for row in rows}:
        own = [row for row in rows if (row["seed"], row["shift"]) == part]
        gap = sum(abs(float(row["probability"]) - float(row["right"])) for row in own)
        errors.append(gap / sum(float(row["voxels"]) for row in own))
    return round(float(np.mean(errors)), 4)


def _rows(rows: Sequence[Row], arm: str, shift: str) -> list[Row]:
    return [
        row
        for row in rows
        if _arm(row) == arm
        and (row["shift"] != UNCHANGED if shift == ALL_CHANGES else row["shift"] == shift)
    ]


def _arm(row: Row) -> str:
    job = Job.of(row)
    return f"{job.arm} {job.network} N={job.labeled}"


def _arms(rows: Iterable[Row]) -> list[str]:
    return [*dict.fromkeys(map(_arm, rows))]
