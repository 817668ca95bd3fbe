"""Scores of all cases, as a table for the terminal, as CSV and as JSON."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..files import write_csv, write_json
from ..text_table import text_table

METRICS = {
    "dice": ("Dice", "{:.3f}"),
    "hd95_mm": ("HD95 (mm)", "{:.2f}"),
    "surface_dice": ("Surface Dice (1 mm)", "{:.3f}"),
    "volume_error_ml": ("Volume error (ml)", "{:+.3f}"),
}
"""Name of each metric, its title and its number format; see `metric_columns` for 2-D images."""


@dataclass(frozen=True)
class MetricColumn:
    """How a metric is named in a CSV file and in tables, and its number format."""

    name: str
    title: str
    form: str


def metric_columns(unit: str = "mm", is_2d: bool = False) -> dict[str, MetricColumn]:
    """Return the column of each metric: 2-D images have areas, and lengths may be in pixels."""
    columns = {}
    for metric, (title, form) in METRICS.items():
        name, shown = metric.replace("_mm", f"_{unit}"), title.replace("mm", unit)
        if is_2d:
            name = name.replace("volume_error_ml", f"area_error_{unit}2")
            shown = shown.replace("Volume error (ml)", f"Area error ({unit}2)")
        columns[metric] = MetricColumn(name, shown, form)
    return columns


@dataclass(frozen=True)
class LabelScore:
    """The scores of one label in one case.

    `dice` and `surface_dice` (tolerance 1 mm) are between 0 and 1, `hd95_mm` is the larger of the
    two 95th percentiles of the surface distances, `volume_error_ml` is prediction minus reference.
    Lengths of images without a scale are in pixels; instead of volumes, 2-D images have areas in
    mm2 or px2.

    If a label is in neither the prediction nor the reference, the first three are NaN and means
    skip them. If it is in only one of them, Dice is 0 and HD95 is the image's diagonal, so that a
    missed structure lowers the mean. Of a label that nobody annotated in the reference, all are
    NaN.
    """

    label: int
    dice: float
    hd95_mm: float
    surface_dice: float
    volume_error_ml: float


@dataclass(frozen=True)
class CaseResult:
    """The scores of one case, one per label."""

    case: str
    scores: tuple[LabelScore, ...]

    @property
    def mean_dice(self) -> float:
        """Mean over the labels of the case; NaN without labels."""
        return _mean([score.dice for score in self.scores])


@dataclass(frozen=True)
class Evaluation:
    """The scores of all cases; `labels` maps values to names in the order of the scores.

    Lengths are in `unit`: mm, or pixels ("px") without a scale. With `is_2d`, sizes are areas.
    """

    labels: dict[int, str]
    cases: tuple[CaseResult, ...]
    unit: str = "mm"
    is_2d: bool = False

    @property
    def columns(self) -> dict[str, MetricColumn]:
        """The column of each metric."""
        return metric_columns(self.unit, self.is_2d)

    def values(self, label: int, metric: str) -> list[float]:
        """Return a metric of a label for each case, NaN where the label is absent."""
        return [
            getattr(score, metric)
            for case in self.cases
            for score in case.scores
            if score.label == label
        ]

    def mean(self, metric: str) -> float:
        """Return the mean over labels of the means over cases."""
        return _mean([_mean(self.values(label, metric)) for label in self.labels])

    def table(self) -> str:
        """Return a table for the terminal: mean and standard deviation over cases per label."""
        shown = self.columns
        rows = [["label", "cases", *(column.title for column in shown.values())]]
        for label, name in self.labels.items():
            columns = {metric: self.values(label, metric) for metric in shown}
            scored = sum(not math.isnan(value) for value in columns["dice"])
            cells = (_spread(values, shown[key].form) for key, values in columns.items())
            rows.append([name, str(scored), *cells])
        means = (_text(self.mean(key), column.form) for key, column in shown.items())
        rows.append(["mean", str(len(self.cases)), *means])
        return f"{text_table(rows)}\n{self._worst_line()}"

    def write(self, table: Path, summary: Path) -> None:
        """Write one row per case and label as CSV, and the same with the means as JSON.

        Raises:
            GenSegError: a file cannot be written.
        """
        header = ["case", "label", "name", *(column.name for column in self.columns.values())]
        rows = [
            [case.case, *(row[name] for name in ("label", "name", *METRICS))]
            for case in self.cases
            for row in self._rows(case)
        ]
        write_csv(table, [header, *rows])
        write_json(summary, self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return all scores and their means as JSON values; null instead of NaN."""
        return {
            "unit": self.unit,
            "size_unit": f"{self.unit}2" if self.is_2d else "ml",
            "labels": {str(label): name for label, name in self.labels.items()},
            "mean": {metric: _finite(self.mean(metric)) for metric in METRICS},
            "label_means": {
                str(label): {key: _finite(_mean(self.values(label, key))) for key in METRICS}
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
            return "no case has any of the labels"
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
