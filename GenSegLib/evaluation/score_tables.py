"""The scores of all cases, as a table for the terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..files import write_json, write_text
from .measures import MEASURES
from .metrics import LabelScore


@dataclass(frozen=True)
class CaseResult:
    """The scores of one case, a label each."""

    case: str
    scores: tuple[LabelScore, ...]

    @property
    def mean_dice(self) -> float:
        """Mean over the labels that the case has; NaN where it has none."""
        return _mean([score.dice for score in self.scores])


@dataclass(frozen=True)
class Evaluation:
    """The scores of all cases; `labels` maps values to names in the order of the scores."""

    labels: dict[int, str]
    cases: tuple[CaseResult, ...]

    def values(self, label: int, measure: str) -> list[float]:
        """Give one of `MEASURES` for each case, NaN where there was nothing to score."""
        return [
            getattr(score, measure)
            for case in self.cases
            for score in case.scores
            if score.label == label
        ]

    def mean(self, measure: str) -> float:
        """Give the mean over the labels of their means over the cases."""
        return _mean([_mean(self.values(label, measure)) for label in self.labels])

    def table(self) -> str:
        """Give a table for the terminal: mean and standard deviation over cases, label by label."""
        rows = [["label", "cases", *(title for title, _ in MEASURES.values())]]
        for label, name in self.labels.items():
            columns = {measure: self.values(label, measure) for measure in MEASURES}
            scored = sum(not math.isnan(value) for value in columns["dice"])
            cells = (_spread(values, MEASURES[key][1]) for key, values in columns.items())
            rows.append([name, str(scored), *cells])
        means = (_text(self.mean(key), form) for key, (_, form) in MEASURES.items())
        rows.append(["mean", str(len(self.cases)), *means])
        return "\n".join((*_aligned(rows), self._worst_line()))

    def write(self, table: Path, summary: Path) -> None:
        """Write one row a case and label as CSV, and the same with the means as JSON.

        Raises:
            GenSegError: a file cannot be written.
        """
        stream = io.StringIO()
        names = ["case", "label", "name", *MEASURES]
        writer = csv.DictWriter(stream, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {"case": case.case, **row} for case in self.cases for row in self._rows(case)
        )
        write_text(table, stream.getvalue())
        write_json(summary, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Give all scores and their means as JSON values; null where there is nothing to score."""
        return {
            "labels": {str(label): name for label, name in self.labels.items()},
            "mean": {measure: _finite(self.mean(measure)) for measure in MEASURES},
            "label_means": {
                str(label): {key: _finite(_mean(self.values(label, key))) for key in MEASURES}
                for label in self.labels
            },
            "cases": [
                {
                    "case": case.case,
                    "mean_dice": _finite(case.mean_dice),
                    "scores": self._rows(case),
                }
                for case in self.cases
            ],
        }

    def _rows(self, case: CaseResult) -> list[dict[str, Any]]:
        return [
            {
                "name": self.labels[score.label],
                **{key: _finite(value) for key, value in asdict(score).items()},
            }
            for score in case.scores
        ]

    def _worst_line(self) -> str:
        scored = [case for case in self.cases if not math.isnan(case.mean_dice)]
        if not scored:
            return "no case holds any of the labels"
        worst = min(scored, key=lambda case: case.mean_dice)
        return f"lowest mean Dice: {worst.mean_dice:.3f}, case {worst.case}"


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if not math.isnan(value)]
    return statistics.fmean(finite) if finite else math.nan


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _text(value: float, form: str) -> str:
    return "-" if math.isnan(value) else form.format(value)


def _spread(values: Sequence[float], form: str) -> str:
    finite = [value for value in values if not math.isnan(value)]
    spread = statistics.stdev(finite) if len(finite) > 1 else math.nan
    deviation = f" ± {form.replace('+', '').format(spread)}" if len(finite) > 1 else ""
    return _text(_mean(values), form) + deviation


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
