"""Forecast of how many more cases a target Dice takes, from the Dice of earlier drafts.

Learning curves of segmentation follow power laws of the number of cases (Hestness et al., 2017,
arXiv:1712.00409): Dice(n) = a - b * n ** -c. Single drafts scatter, so that the forecast is an
interval from a bootstrap over the drafts, and there is none where it would be arbitrary.

Light: the standard library and numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .records import CurvePoint

TARGET = 0.9
KINDS = ("few", "unclear", "reached", "hardly", "cases")

_MIN_DRAFTS, _MIN_SIZES = 4, 3  # three points determine the curve, and none is left to test it
_EXPONENTS = np.geomspace(0.2, 1.5, 25)  # of published curves: mostly 0.2 to 1
_SAMPLES = 500
_PARAMETERS = 2.5  # a, b and the bounded c
_MIN_SCATTER = 0.005  # of the Dice between cases
_TAILS = (0.1, 0.9)  # of the bootstrap: an interval of 80 %
_FAR = 3.0  # times the present number of cases: unknown beyond
_AHEAD = 10  # cases
_LITTLE = 0.01  # Dice that this many more cases bring
_SAYS_SOMETHING = 4  # cases, as a lower limit without an upper one

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Forecast:
    """Forecast of the number of further cases.

    Attributes:
        kind: "cases": `low` to `high` more cases to the target; "reached": no more are needed;
            "hardly": more cases will hardly help; "few": there are too few drafts; "unclear":
            their Dice varies too much, or does not rise.
        text: the same for users.
        target: Dice.
        low, high: further cases, ends of the 80 % interval; None for the other kinds.
        points: the drafts.
    """

    kind: str
    text: str
    target: float
    low: int | None = None
    high: int | None = None
    points: tuple[CurvePoint, ...] = ()

    @property
    def is_silent(self) -> bool:
        """Whether the drafts do not suffice for a forecast."""
        return self.kind in ("few", "unclear")

    @cached_property
    def curve(self) -> list[tuple[float, float]]:
        """The fitted curve (cases, Dice) from the first draft to 10 cases beyond the last.

        It is empty where there is no forecast.
        """
        if self.is_silent:
            return []
        cases, dice = _arrays(self.points)
        last = cases.max() + _AHEAD
        sizes = np.linspace(cases.min(), last, 50)
        fit = _fit(cases, dice[None])
        return list(zip(sizes.tolist(), fit.dice(sizes)[0].tolist()))

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "text": self.text,
            "kind": self.kind,
            "low": self.low,
            "high": self.high,
            "target": self.target,
            "points": [[point.cases, point.dice] for point in self.points],
            "curve": [list(point) for point in self.curve],
        }


def forecast(points: Sequence[CurvePoint], target: float = TARGET, seed: int = 0) -> Forecast:
    """Forecast how many more cases the target takes.

    Args:
        points: Dice of drafts by the number of cases that their models had learned from; those
            with values that are not numbers are left out.
        target: Dice.
        seed: of the bootstrap.
    """
    usable = tuple(p for p in points if p.cases >= 1 and math.isfinite(p.dice))
    cases, dice = _arrays(usable)
    sizes = len(set(cases.tolist()))
    if len(usable) < _MIN_DRAFTS or sizes < _MIN_SIZES:
        text = (
            f"a forecast needs {_MIN_DRAFTS} drafts or training runs with {_MIN_SIZES} "
            f"different numbers of cases; there are {len(usable)} with {sizes}"
        )
        return Forecast("few", text, target, points=usable)
    fit = _fit(cases, dice[None])
    fits = _bootstrap(fit, cases, dice, np.random.default_rng(seed))
    return _describe(fits, cases, target, usable, rises=bool(fit.b[0] > 0))


def _describe(
    fits: _Fits, cases: Array, target: float, points: tuple[CurvePoint, ...], *, rises: bool
) -> Forecast:
    """Return the forecast that the bootstrap's fits support.

    Args:
        fits: of the bootstrap.
        cases: of the drafts.
        target: Dice.
        points: the drafts.
        rises: whether the fit to the drafts themselves rises; if not, samples that do are chance.
    """
    now = cases.max()
    here, ahead = fits.dice(np.array([now, now + _AHEAD])).T
    if np.quantile(here, _TAILS[0]) >= target:
        text = f"the drafts have reached a Dice of {target:.2f}"
        return Forecast("reached", text, target, points=points)
    gain = ahead - here
    if np.median(gain) < _LITTLE and np.quantile(gain, _TAILS[1]) < 2 * _LITTLE:
        text = f"more cases will hardly help: drafts stay near a Dice of {np.median(here):.2f}"
        return Forecast("hardly", text, target, points=points)
    ends = np.quantile(fits.cases_to(target), _TAILS, method="nearest") - now
    low = max(1, math.floor(ends[0])) if ends[0] <= _FAR * now else math.ceil(_FAR * now)
    high = max(1, math.ceil(ends[1])) if ends[1] <= _FAR * now else None
    if not rises or (high is None and low < _SAYS_SOMETHING):
        reason = "varies too much" if rises else "does not rise with the number of cases"
        text = f"no forecast to a Dice of {target:.2f} yet: the Dice of the drafts {reason}"
        return Forecast("unclear", text, target, points=points)
    return Forecast("cases", _amount(low, high, target), target, low, high, points)


def _amount(low: int, high: int | None, target: float) -> str:
    if high is None:
        return f"at least {low} more cases to {target:.2f}"
    amount = f"{low} to {high}" if low < high else f"{low}"
    return f"about {amount} more {'case' if amount == '1' else 'cases'} to {target:.2f}"


@dataclass(frozen=True)
class _Fits:
    """Curves a - b * n ** -c, one per sample."""

    a: Array
    b: Array
    c: Array

    def dice(self, cases: Array) -> Array:
        """Return the Dice (sample, case number)."""
        return self.a[:, None] - self.b[:, None] * cases[None] ** -self.c[:, None]

    def cases_to(self, target: float) -> Array:
        """Return the number of cases at which each curve reaches the target; infinity for none."""
        reaches = self.a > target
        gap = np.where(reaches, self.a - target, 1.0)
        with np.errstate(over="ignore"):
            cases = (self.b / gap) ** (1 / self.c)
        return np.where(reaches, np.maximum(cases, 0), np.inf)


def _fit(cases: Array, dice: Array) -> _Fits:
    """Return the least-squares fit of each sample, with a <= 1 and b >= 0.

    For an exponent of the grid, a and b follow from a linear regression.

    Args:
        cases: (draft,).
        dice: (sample, draft).
    """
    x = cases[:, None] ** -_EXPONENTS[None]  # (draft, exponent)
    mean_x, mean_y = x.mean(0), dice.mean(1)[:, None]
    b = np.maximum(0, -(dice - mean_y) @ (x - mean_x) / ((x - mean_x) ** 2).sum(0))
    a = mean_y + b * mean_x
    b = np.where(a > 1, np.maximum(0, (1 - dice) @ x / (x**2).sum(0)), b)
    a = np.minimum(a, 1.0)
    residuals = dice[:, :, None] - a[:, None] + b[:, None] * x[None]
    best = (residuals**2).sum(1).argmin(1)
    rows = np.arange(len(dice))
    return _Fits(a[rows, best], b[rows, best], _EXPONENTS[best])


def _bootstrap(fit: _Fits, cases: Array, dice: Array, generator: np.random.Generator) -> _Fits:
    """Return fits to samples of a parametric bootstrap: the fitted curve with normal scatter.

    Resampling the drafts instead would lose whole numbers of cases of so few, and gives intervals
    that are much too narrow. The scatter is at least that between cases of one data set.
    """
    fitted = fit.dice(cases)[0]
    freedom = max(1.0, len(cases) - _PARAMETERS)
    scatter = max(_MIN_SCATTER, math.sqrt(float(((dice - fitted) ** 2).sum()) / freedom))
    noise = generator.normal(0, scatter, (_SAMPLES, len(cases)))
    return _fit(cases, np.minimum(fitted + noise, 1.0))


def _arrays(points: Sequence[CurvePoint]) -> tuple[Array, Array]:
    cases = np.array([point.cases for point in points], float)
    return cases, np.clip([point.dice for point in points], 0, 1).astype(float)
