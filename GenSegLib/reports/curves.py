"""Curves of a run's metrics over the training steps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ..settings import is_number

_ENTRIES = frozenset({"time", "kind", "phase", "step"})


@dataclass(frozen=True)
class Curve:
    """One metric; steps are counted across all phases."""

    name: str
    steps: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def last(self) -> float:
        """Last value."""
        return self.values[-1]


@dataclass(frozen=True)
class Phase:
    """A training phase with its first and last step."""

    name: str
    first: float
    last: float


@dataclass(frozen=True)
class History:
    """All metrics of a run by name, and its phases in order."""

    curves: Mapping[str, Curve]
    phases: tuple[Phase, ...]

    def select(self, condition: Callable[[str], bool]) -> list[Curve]:
        """Return the curves whose name satisfies a condition."""
        return [curve for name, curve in self.curves.items() if condition(name)]


def read_history(events: Iterable[Mapping[str, Any]]) -> History:
    """Collect the events of kind `metrics`.

    A resumed run repeats the steps after its checkpoint: later values replace earlier ones. A
    phase that counts its steps from zero is shifted to the end of the previous phase.
    """
    measured: dict[str, dict[float, dict[str, float]]] = {}
    for event in events:
        if event.get("kind") != "metrics" or not is_number(event.get("step")):
            continue
        values = {k: v for k, v in event.items() if k not in _ENTRIES and is_number(v)}
        steps = measured.setdefault(str(event.get("phase", "")), {})
        steps.setdefault(event["step"], {}).update(values)
    return _joined({phase: steps for phase, steps in measured.items() if steps})


def _joined(measured: Mapping[str, Mapping[float, Mapping[str, float]]]) -> History:
    points: dict[str, dict[float, float]] = defaultdict(dict)
    phases: list[Phase] = []
    end = 0.0
    for name, steps in measured.items():
        offset = end if phases and min(steps) < end else 0.0
        for step in sorted(steps):
            for quantity, value in steps[step].items():
                points[quantity][step + offset] = value
        phases.append(Phase(name, end if phases else min(steps), max(steps) + offset))
        end = phases[-1].last
    curves = {
        name: Curve(name, tuple(sorted(values)), tuple(values[step] for step in sorted(values)))
        for name, values in points.items()
    }
    return History(curves, tuple(phases))


def cells(history: History) -> dict[str, list[Curve]]:
    """Return the curves `alpha/CELL/OPERATION` by cell, named by operation."""
    found: dict[str, list[Curve]] = defaultdict(list)
    for name, curve in history.curves.items():
        if name.startswith("alpha/"):
            cell, _, operation = name.removeprefix("alpha/").rpartition("/")
            found[cell or "cell"].append(Curve(operation, curve.steps, curve.values))
    return dict(found)


def moving_average(values: Sequence[float], width: int) -> list[float]:
    """Return the centered moving average; the window is truncated at the ends."""
    total = [0.0, *accumulate(values)]
    half = width // 2
    spans = ((max(0, k - half), min(len(values), k + half + 1)) for k in range(len(values)))
    return [(total[stop] - total[start]) / (stop - start) for start, stop in spans]
