"""Search over a dozen scalars by comparisons of opposite steps, an evolution strategy.

One-step hypergradients of such scalars drown in noise. Here the middle level trains for many steps
with the scalars shifted in a random direction, and again from the same state, with the same random
numbers, with the scalars shifted in the opposite direction. The difference of the upper losses
estimates the slope along the direction (antithetic sampling; Salimans et al., arXiv 1703.03864).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

_THRESHOLD = 2.0  # standard errors; slopes below it move nothing
_FEWEST = 3  # comparisons before the scalars move
_WINDOW = 16  # latest comparisons that count, since slopes change as training goes on


class PairedSearch:
    """Minimizes a noisy function of scalars by paired comparisons.

    A scalar moves as far as its slope, averaged over the latest comparisons, exceeds twice its
    standard error, so that those without a signal stay where they are.

    Args:
        start: initial values.
        seed: of the random directions.
        step: shift of each scalar in a comparison.
        rate: how far a scalar moves after a comparison if all of them agree.
    """

    def __init__(
        self, start: Sequence[float], seed: int, step: float = 0.5, rate: float = 0.4
    ) -> None:
        self.values = [float(value) for value in start]
        self._generator = torch.Generator().manual_seed(seed)
        self._step, self._rate = step, rate
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
        return min(self.comparisons, _WINDOW)

    def propose(self) -> tuple[list[float], list[float]]:
        """Return two sets of values to compare, in opposite random directions."""
        if not self._rows:
            self._rows = torch.randperm(len(self._design), generator=self._generator).tolist()
        # the sign of a row is random, so that a trend from one side to the other averages out
        sign = 2 * int(torch.randint(0, 2, (), generator=self._generator)) - 1
        self._direction = sign * self._design[self._rows.pop()]
        shifts = (self._step * self._direction).tolist()
        plus = [value + shift for value, shift in zip(self.values, shifts)]
        minus = [value - shift for value, shift in zip(self.values, shifts)]
        return plus, minus

    def report(self, loss_plus: float, loss_minus: float) -> None:
        """Take in the losses of the last proposal, and move the values."""
        self._directions.append(self._direction.tolist())
        self._differences.append(loss_plus - loss_minus)
        if self.comparisons < _FEWEST:
            return
        mean, deviation = self._slopes()
        ratios = (value / spread for value, spread in zip(mean, deviation))
        for k, ratio in enumerate(ratios):
            squared = self._counted * ratio**2  # signal to noise
            kept = max(0.0, 1 - _THRESHOLD**2 / squared) if squared > 0 else 0.0
            self.values[k] -= self._rate * kept * max(-1.0, min(1.0, ratio))

    def signal_to_noise(self) -> list[float]:
        """Return each scalar's mean slope divided by its standard error; 0 at first.

        A positive one means that larger values increase the upper loss.
        """
        if self.comparisons < _FEWEST:
            return [0.0] * len(self.values)
        mean, deviation = self._slopes()
        root = math.sqrt(self._counted)
        return [root * value / spread for value, spread in zip(mean, deviation)]

    def _slopes(self) -> tuple[list[float], list[float]]:
        """Return mean and standard deviation of each scalar's slopes, up to a common factor."""
        differences = torch.tensor(self._differences[-_WINDOW:])
        slopes = torch.tensor(self._directions[-_WINDOW:]) * differences[:, None]
        deviation = slopes.std(dim=0).clamp_min(1e-12)
        return slopes.mean(dim=0).tolist(), deviation.tolist()

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


def _orthogonal_directions(count: int) -> torch.Tensor:
    """Return directions (row, count) of 1 and -1 with orthogonal columns (Hadamard's matrices).

    Over all rows, the effect of one scalar is not mistaken for that of another.
    """
    design = torch.ones(1, 1)
    while design.shape[1] <= count:
        design = torch.cat([torch.cat([design, design], 1), torch.cat([design, -design], 1)])
    return design[:, 1 : count + 1]
