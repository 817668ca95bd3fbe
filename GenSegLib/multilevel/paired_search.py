"""Search over a dozen scalars by comparisons of opposite steps, an evolution strategy.

One-step hypergradients of such scalars drown in noise. Here the middle level trains for many steps
with the scalars shifted in a random direction, and again from the same state, with the same random
numbers, with the scalars shifted in the opposite direction. The difference of the upper losses
estimates the slope along the direction (antithetic sampling; Salimans et al., arXiv 1703.03864).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import torch

from .signal import GradientSignal

_STEP = 0.5  # of each scalar in a comparison
_MAX_MOVE = 1.5  # of a scalar, if all comparisons agree
_SIGNIFICANCE = 0.05  # of all scalars together: as often one of them moves by noise alone


class PairedSearch:
    """Minimizes a noisy function of scalars by paired comparisons.

    After a full design, a scalar is as far from its start as its slope, averaged over all
    comparisons, exceeds the noise. Those without a signal stay where they are, and those whose
    signal vanishes return.

    Args:
        start: initial values.
        seed: of the random directions.
    """

    def __init__(self, start: Sequence[float], seed: int) -> None:
        self._start = [float(value) for value in start]
        self.values = list(self._start)
        self._generator = torch.Generator().manual_seed(seed)
        self._design = _orthogonal_directions(len(self.values))
        self._rows: list[int] = []  # of the design, still to be compared
        self._direction = torch.zeros(len(self.values))
        self._directions: list[list[float]] = []
        self._differences: list[float] = []

    @property
    def comparisons(self) -> int:
        """Number of comparisons so far."""
        return len(self._differences)

    @property
    def _counted(self) -> int:
        """Number of comparisons that count; 0 before a full design."""
        return self.comparisons if self.comparisons >= len(self._design) else 0

    @property
    def threshold(self) -> float:
        """Signal to noise that noise alone seldom exceeds, by Student's t and Bonferroni."""
        tail = _SIGNIFICANCE / (2 * max(1, len(self.values)))
        return _student_quantile(1 - tail, max(len(self._design), self._counted) - 1)

    def propose(self) -> tuple[list[float], list[float]]:
        """Return two sets of values to compare, in opposite random directions."""
        if not self._rows:
            self._rows = torch.randperm(len(self._design), generator=self._generator).tolist()
        # the sign of a row is random, so that a trend from one side to the other averages out
        sign = 2 * int(torch.randint(0, 2, (), generator=self._generator)) - 1
        self._direction = sign * self._design[self._rows.pop()]
        shifts = (_STEP * self._direction).tolist()
        plus = [value + shift for value, shift in zip(self.values, shifts)]
        minus = [value - shift for value, shift in zip(self.values, shifts)]
        return plus, minus

    def report(self, loss_plus: float, loss_minus: float) -> None:
        """Take in the losses of the last proposal, and move the values."""
        self._directions.append(self._direction.tolist())
        self._differences.append(loss_plus - loss_minus)
        threshold = self.threshold
        for k, signal in enumerate(self.signal_to_noise()):
            kept = max(0.0, 1 - (threshold / signal) ** 2) if signal else 0.0
            agreement = signal / math.sqrt(self._counted) if signal else 0.0
            self.values[k] = self._start[k] - _MAX_MOVE * kept * max(-1.0, min(1.0, agreement))

    def signal_to_noise(self) -> list[float]:
        """Return each scalar's mean slope divided by its standard error; 0 before a full design.

        A positive one means that larger values increase the upper loss.
        """
        if self._counted == 0:
            return [0.0] * len(self.values)
        signal = GradientSignal()
        for direction, difference in zip(self._directions, self._differences):
            signal.update([torch.tensor(direction) * difference])
        return signal.ratios()

    def state_dict(self) -> dict[str, Any]:
        """Return the state from which :meth:`load_state_dict` continues."""
        return {
            "values": list(self.values),
            "rows": list(self._rows),
            "random": self._generator.get_state(),
            "direction": self._direction.tolist(),
            "directions": [list(each) for each in self._directions],
            "differences": list(self._differences),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from an earlier :meth:`state_dict`."""
        self.values = list(state["values"])
        self._rows = list(state["rows"])
        self._generator.set_state(state["random"].cpu())
        self._direction = torch.tensor(state["direction"])
        self._directions = [list(each) for each in state["directions"]]
        self._differences = list(state["differences"])


def _student_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of Student's t, of 3 degrees of freedom or more, to about a percent.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))


def _orthogonal_directions(count: int) -> torch.Tensor:
    """Return directions (row, count) of 1 and -1 with orthogonal columns (Hadamard's matrices).

    Over all rows, the effect of one scalar is not mistaken for that of another.
    """
    design = torch.ones(1, 1)
    while design.shape[1] <= count:
        design = torch.cat([torch.cat([design, design], 1), torch.cat([design, -design], 1)])
    return design[:, 1 : count + 1]
