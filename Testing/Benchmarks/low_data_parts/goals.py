"""The goals of the benchmark: which are reached, missed, or not measured yet."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from .plan import NETWORK, OTHER_NETWORKS, SEEDS
from .summary import Group, Summary

SIGNIFICANT = 0.01


@dataclass(frozen=True)
class Goal:
    """A goal with what was found; `reached` is None where something is not measured yet."""

    text: str
    reached: bool | None
    found: str


def goals(summary: Summary, shift_gain: float | None) -> list[Goal]:
    """Hold the results against every goal.

    Args:
        summary: of the scores.
        shift_gain: Dice of `genseg` above `augmented` on changed scans, where it is known.
    """
    return [
        _ahead(summary, "plain", 10, 0.06),
        _half_of_gap(summary, 10),
        _half_of_gap(summary, 5),
        _ahead(summary, "separate", 10, 0.0),
        _ahead(summary, "nnunet", 10, 0.0, network="3d_fullres"),
        _reaches(summary, "augmented", 40),
        _reaches(summary, "plain", 160),
        *(_network_gains(summary, network) for network in (NETWORK, *OTHER_NETWORKS)),
        _above("under another scanner: genseg at least 0.02 above augmented", shift_gain, 0.02),
    ]


def labels_needed(dice: float, curve: Mapping[int, float]) -> float | None:
    """Give how many labeled cases an arm needs for a Dice, between those measured.

    The Dice grows with the logarithm of their number from one measured number to the next. Where
    the first already has it, that is the answer; None where the last has not.
    """
    known = sorted(curve.items())
    if known and known[0][1] >= dice:
        return float(known[0][0])
    for (few, low), (many, high) in zip(known, known[1:]):
        if low < dice <= high:
            share = (dice - low) / (high - low)
            return math.exp(math.log(few) + share * math.log(many / few))
    return None


def _above(text: str, gain: float | None, least: float) -> Goal:
    if gain is None:
        return Goal(text, None, "not measured")
    return Goal(text, gain >= least, f"{gain:+.4f}")


def _ahead(summary: Summary, arm: str, labeled: int, least: float, network: str = NETWORK) -> Goal:
    by = f"at least {least:g} above" if least else "above"
    text = f"N = {labeled}: genseg {by} {arm}, p < {SIGNIFICANT}"
    test = summary.compare(Group(NETWORK, "genseg", labeled), Group(network, arm, labeled))
    if test is None:
        return Goal(text, None, "not measured")
    gain, is_certain = test["mean_gain"], test["wilcoxon_p"] < SIGNIFICANT
    return _judged(text, gain > 0 and gain >= least and is_certain, test)


def _half_of_gap(summary: Summary, labeled: int) -> Goal:
    text = (
        f"N = {labeled}: genseg above augmented by half of what 160 labeled cases are worth to "
        f"augmented, p < {SIGNIFICANT}"
    )
    gap = summary.compare(*(Group(NETWORK, "augmented", n) for n in (160, labeled)))
    test = summary.compare(*(Group(NETWORK, arm, labeled) for arm in ("genseg", "augmented")))
    if test is None:
        return Goal(text, None, "not measured")
    if gap is None:
        return Goal(text, None, f"{_told(test)}; the gap is not measured")
    half = gap["mean_gain"] / 2
    reached = test["mean_gain"] >= half and test["wilcoxon_p"] < SIGNIFICANT
    return _judged(text, reached, test, f"; half of the gap is {half:.4f}")


def _reaches(summary: Summary, arm: str, labeled: int) -> Goal:
    text = f"genseg with N = 10 reaches {arm} with N = {labeled}"
    ours = summary.standings.get(Group(NETWORK, "genseg", 10))
    theirs = summary.standings.get(Group(NETWORK, arm, labeled))
    if ours is None or theirs is None:
        return Goal(text, None, "not measured")
    curve = {n: standing.mean for n, standing in summary.curve(NETWORK, arm).items()}
    needed = labels_needed(ours.mean, curve)
    factor = f"{needed / 10:.1f}" if needed else f"more than {max(curve) / 10:.0f}"
    found = f"{ours.mean:.4f} and {theirs.mean:.4f}; {factor} times fewer labeled cases"
    is_whole = len(ours.dice.keys() & theirs.dice.keys()) == len(SEEDS)
    return Goal(text, ours.mean >= theirs.mean if is_whole else None, found)


def _network_gains(summary: Summary, network: str) -> Goal:
    text = f"N = 10: {network} gains by genseg"
    test = summary.compare(*(Group(network, arm, 10) for arm in ("genseg", "augmented")))
    if test is None:
        return Goal(text, None, "not measured")
    return _judged(text, test["mean_gain"] > 0, test)


def _judged(text: str, reached: bool, test: Mapping[str, float], more: str = "") -> Goal:
    """Give the verdict, which is open as long as a seed is missing."""
    found = f"{_told(test)}{more}"
    if test["seeds"] < len(SEEDS):
        return Goal(text, None, f"so far, {test['seeds']} of {len(SEEDS)} seeds: {found}")
    return Goal(text, reached, found)


def _told(test: Mapping[str, float]) -> str:
    better = f"better in {test['better_in']} of {test['cases']}"
    return f"{test['mean_gain']:+.4f} ({better}, p = {test['wilcoxon_p']:.2g})"
