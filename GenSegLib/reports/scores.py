"""The scores written by `genseg evaluate` as CSV: one row per case and label."""

from __future__ import annotations

import csv
import math
import statistics
from collections import defaultdict
from collections.abc import Container
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from ..errors import GenSegError
from ..evaluation.score_tables import MetricColumn, metric_columns

_UNDEFINED = "&ndash;"


@dataclass(frozen=True)
class Score:
    """One row: the metrics of a label in a case; NaN if undefined."""

    case: str
    label: str
    values: dict[str, float]


@dataclass(frozen=True)
class ScoreTable:
    """All rows of a CSV, and the column of each metric."""

    scores: tuple[Score, ...]
    columns: dict[str, MetricColumn] = field(default_factory=metric_columns)

    @property
    def labels(self) -> list[str]:
        """Label names in the order of the file."""
        return list(dict.fromkeys(score.label for score in self.scores))

    def values(self, label: str, metric: str) -> list[float]:
        """Return a metric of a label in all cases where it is defined."""
        return [
            score.values[metric]
            for score in self.scores
            if score.label == label and math.isfinite(score.values.get(metric, math.nan))
        ]

    def case_means(self) -> dict[str, float]:
        """Return each case's mean Dice over its labels."""
        found: dict[str, list[float]] = defaultdict(list)
        for score in self.scores:
            dice = score.values.get("dice", math.nan)
            if math.isfinite(dice):
                found[score.case].append(dice)
        return {case: statistics.fmean(values) for case, values in found.items()}


def read_scores(path: Path) -> ScoreTable:
    """Read the CSV of an evaluation.

    Raises:
        GenSegError: it cannot be read, or is not such a table.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError) as fault:
        raise GenSegError(f"{path} cannot be read as a CSV table ({fault})") from fault
    if not rows or not {"case", "label", "dice"} <= set(rows[0]):
        raise GenSegError(f"{path} is not a table of scores; write one with: genseg evaluate --out")
    columns = _columns(rows[0])
    return ScoreTable(tuple(_score(row, columns) for row in rows), columns)


def _columns(names: Container[str]) -> dict[str, MetricColumn]:
    """Return the columns of a table with these names, which name the units."""
    kinds = [metric_columns(unit, is_2d) for unit in ("mm", "px") for is_2d in (False, True)]
    return max(kinds, key=lambda columns: sum(each.name in names for each in columns.values()))


def _score(row: dict[str, str], columns: dict[str, MetricColumn]) -> Score:
    values = {metric: _float(row.get(column.name)) for metric, column in columns.items()}
    return Score(row["case"], row.get("name") or row["label"], values)


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def summary_table(evaluation: ScoreTable) -> str:
    """Return an HTML table of mean and standard deviation over cases per label."""
    head = "".join(f"<th>{column.title}</th>" for column in evaluation.columns.values())
    rows = "".join(
        f"<tr><th>{escape(label)}</th>"
        + "".join(f"<td>{_mean(evaluation, label, metric)}</td>" for metric in evaluation.columns)
        + "</tr>"
        for label in evaluation.labels
    )
    return f"<table><thead><tr><th>Label</th>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _mean(evaluation: ScoreTable, label: str, metric: str) -> str:
    values = evaluation.values(label, metric)
    if not values:
        return _UNDEFINED
    form = evaluation.columns[metric].form
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{form.format(statistics.fmean(values))} <small>&plusmn; {spread:.3g}</small>"


def case_table(evaluation: ScoreTable) -> str:
    """Return an HTML table of all rows."""
    head = "".join(f"<th>{column.title}</th>" for column in evaluation.columns.values())
    rows = []
    for score in evaluation.scores:
        cells = "".join(
            f"<td>{column.form.format(score.values[metric])}</td>"
            if math.isfinite(score.values[metric])
            else f"<td>{_UNDEFINED}</td>"
            for metric, column in evaluation.columns.items()
        )
        rows.append(f"<tr><th>{escape(score.case)}</th><td>{escape(score.label)}</td>{cells}</tr>")
    return (
        f"<table><thead><tr><th>Case</th><th>Label</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
