"""The scores that `genseg evaluate` wrote as CSV: one row a case and label."""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..errors import GenSegError
from ..evaluation.measures import MEASURES

NOT_APPLICABLE = "&ndash;"


@dataclass(frozen=True)
class Score:
    """One row: the measures of a label in a case; NaN where one does not apply."""

    case: str
    label: str
    values: dict[str, float]


@dataclass(frozen=True)
class ScoreTable:
    """All rows of a CSV."""

    scores: tuple[Score, ...]

    @property
    def labels(self) -> list[str]:
        """Names of the labels in the order of the file."""
        return list(dict.fromkeys(score.label for score in self.scores))

    def values(self, label: str, measure: str) -> list[tuple[str, float]]:
        """Case and value wherever the measure applies."""
        return [
            (score.case, score.values[measure])
            for score in self.scores
            if score.label == label and math.isfinite(score.values.get(measure, math.nan))
        ]

    def case_means(self) -> dict[str, float]:
        """Mean Dice over the labels, case by case."""
        found: dict[str, list[float]] = defaultdict(list)
        for score in self.scores:
            dice = score.values.get("dice", math.nan)
            if math.isfinite(dice):
                found[score.case].append(dice)
        return {case: statistics.fmean(values) for case, values in found.items()}


def read_scores(path: Path) -> ScoreTable:
    """Read the CSV of an evaluation.

    Raises:
        GenSegError: it is missing, or is no such table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as fault:
        raise GenSegError(f"{path} cannot be read as a table ({fault})") from fault
    if not rows or not {"case", "label", "dice"} <= set(rows[0]):
        raise GenSegError(f"{path} is no evaluation; write one with: genseg evaluate")
    return ScoreTable(tuple(_score(row) for row in rows))


def _score(row: dict[str, str]) -> Score:
    values = {measure: _float(row.get(measure)) for measure in MEASURES}
    return Score(row["case"], row.get("name") or row["label"], values)


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def summary_table(evaluation: ScoreTable) -> str:
    """Mean and standard deviation over the cases, label by label."""
    head = "".join(f"<th>{words}</th>" for words, _ in MEASURES.values())
    rows = "".join(
        f"<tr><th>{escape(label)}</th>"
        + "".join(f"<td>{_mean(evaluation, label, measure)}</td>" for measure in MEASURES)
        + "</tr>"
        for label in evaluation.labels
    )
    return f"<table><thead><tr><th>Label</th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _mean(evaluation: ScoreTable, label: str, measure: str) -> str:
    values = [value for _, value in evaluation.values(label, measure)]
    if not values:
        return NOT_APPLICABLE
    form = MEASURES[measure][1]
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{form.format(statistics.fmean(values))} <small>&plusmn; {spread:.3g}</small>"


def case_table(evaluation: ScoreTable) -> str:
    """Every row of the evaluation."""
    head = "".join(f"<th>{words}</th>" for words, _ in MEASURES.values())
    rows = []
    for score in evaluation.scores:
        cells = "".join(
            f"<td>{form.format(score.values[measure])}</td>"
            if math.isfinite(score.values[measure])
            else f"<td>{NOT_APPLICABLE}</td>"
            for measure, (_, form) in MEASURES.items()
        )
        rows.append(f"<tr><th>{escape(score.case)}</th><td>{escape(score.label)}</td>{cells}</tr>")
    return (
        f"<table><thead><tr><th>Case</th><th>Label</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
