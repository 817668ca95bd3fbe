"""The summary of the benchmark, made of its tables alone: Markdown, JSON, and plots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from .goals import Goal, goals
from .plan import NETWORK
from .plots import dice_plot, difference_plot
from .summary import Group, Standing, Summary
from .tables import Row, read_table

_STATES = {True: "reached", False: "missed", None: "open"}


def write_report(results: Path) -> str:
    """Write low_data.md, low_data.json and the plots into the folder of the tables.

    Returns:
        The text of low_data.md.
    """
    scores, costs = (read_table(results / f"low_data{end}.csv") for end in ("", "_costs"))
    summary = Summary(scores, costs)
    found = goals(summary, shift_gain(results / "scanner_shift.json"))
    text = markdown(summary, found, origins(costs))
    (results / "low_data.md").write_text(text, encoding="utf-8")
    facts = json.dumps(as_json(summary, found, costs), indent=1) + "\n"
    (results / "low_data.json").write_text(facts, encoding="utf-8")
    if scores:
        plots = {"dice": dice_plot(summary, NETWORK), "differences": difference_plot(summary)}
        for name, plot in plots.items():
            (results / f"low_data_{name}.svg").write_text(plot, encoding="utf-8")
    return text


def shift_gain(file: Path) -> float | None:
    """Give the Dice of `genseg` above `augmented` on changed scans, N = 10, where it is known."""
    if not file.is_file():
        return None
    against = json.loads(file.read_text(encoding="utf-8")).get("dice_genseg_against", {})
    changes = against.get(f"augmented {NETWORK} N=10", {})
    return changes.get("mean of the changes", {}).get("mean_gain")


def markdown(summary: Summary, found: Sequence[Goal], where: Sequence[str]) -> str:
    """Give the tables of results, tests and goals, to be read by people."""
    parts = [
        "# Low-data benchmark",
        "Made by `python Testing/Benchmarks/low_data.py --report` from low_data.csv. Mean over the "
        "test cases of each seed; behind ± the standard deviation of the seeds' means. Tests take "
        "the cases of all seeds together (a case may be a test case of two seeds).",
        _table(_HEAD, _standing_rows(summary)),
        "## `genseg` against the other arms, case by case",
        _table(("network", "N", "against", "cases", "gain in Dice", "better in", "Wilcoxon p"),
               _test_rows(summary)),
        "## Goals",
        _table(("goal", "state", "found"), [(g.text, _STATES[g.reached], g.found) for g in found]),
        "## Where it ran",
        "\n".join(f"- {line}" for line in where),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


_HEAD = (
    *("network", "arm", "N", "seeds", "Dice", "HD95 (mm)", "surface Dice", "segmenter steps"),
    "training (s)",
)


def _standing_rows(summary: Summary) -> Iterable[Sequence[str]]:
    for group, standing in summary.standings.items():
        seconds = "" if standing.train_s is None else f"{standing.train_s:.0f}"
        yield (
            *(group.network, group.arm, str(group.labeled)),
            ", ".join(map(str, standing.dice)),
            _with_spread(standing),
            *(f"{standing.hd95_mm:.2f}", f"{standing.surface_dice:.4f}"),
            *(standing.segmenter_steps, seconds),
        )


def _with_spread(standing: Standing) -> str:
    spread = "" if standing.spread is None else f" ± {standing.spread:.4f}"
    return f"{standing.mean:.4f}{spread}"


def _test_rows(summary: Summary) -> Iterable[Sequence[str]]:
    for ours, theirs, test in tests(summary):
        yield (
            *(ours.network, str(ours.labeled), theirs.arm, str(test["cases"])),
            *(f"{test['mean_gain']:+.4f}", str(test["better_in"]), f"{test['wilcoxon_p']:.3g}"),
        )


def tests(summary: Summary) -> Iterable[tuple[Group, Group, dict[str, float]]]:
    """Give `genseg` of each network and number of cases against the other arms of both."""
    for ours in summary.standings:
        if ours.arm != "genseg":
            continue
        for theirs in summary.standings:
            same = theirs.labeled == ours.labeled and theirs.arm != "genseg"
            if same and (theirs.network == ours.network or _is_peer(ours, theirs)):
                test = summary.compare(ours, theirs)
                if test is not None:
                    yield ours, theirs, test


def _is_peer(ours: Group, theirs: Group) -> bool:
    return ours.network == NETWORK and theirs.arm.startswith("nnunet")


def origins(costs: Iterable[Row]) -> list[str]:
    """Say on which machines, when and at which commits the trainings ran, and how many."""
    counts: dict[str, int] = {}
    for row in costs:
        line = f"{row['machine']}, {row['date']}, commit {row['commit']}"
        counts[line] = counts.get(line, 0) + 1
    return [f"{line}: {count} trainings" for line, count in sorted(counts.items())]


def as_json(summary: Summary, found: Sequence[Goal], costs: Sequence[Row]) -> dict[str, object]:
    """Give the same for programs."""
    standings = [
        {
            **vars(group),
            "dice_by_seed": {seed: round(dice, 4) for seed, dice in standing.dice.items()},
            "dice": round(standing.mean, 4),
            "spread": None if standing.spread is None else round(standing.spread, 4),
            "hd95_mm": round(standing.hd95_mm, 3),
            "surface_dice": round(standing.surface_dice, 4),
            "train_s": standing.train_s,
        }
        for group, standing in summary.standings.items()
    ]
    tested = [
        {**vars(ours), "against": theirs.arm, **test} for ours, theirs, test in tests(summary)
    ]
    return {
        "arms": standings,
        "genseg_against": tested,
        "goals": [vars(goal) for goal in found],
        "ran": origins(costs),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
