"""Schedule of a training: shares of its phases in steps and time, progress, and learning rate.

A time budget is that of the whole command. What is left of it after the preparation of cases is
shared by the phases in proportion to the work that their steps are, so that a training that runs
out of time has had its share of each phase, and its learning rates have decayed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..config import TrainConfig

PHASES = ("warm-up", "joint", "final")
# CPU seconds of a step relative to a final step, measured on eight hippocampi
_WARMUP_COST = 1.6
_JOINT_COST = 2.4  # without hypergradient
_HYPERGRADIENT_COST = 3.1
_LR_WARMUP_STEPS = 50
_LR_POWER = 0.9  # of the polynomial decay
_MIN_LR_FRACTION = 0.01
_AVERAGED_PARTS = 20
# of the time budget, for the model and the report at the end
_RESERVE_S, _RESERVE_FRACTION = 5.0, 0.05


@dataclass(frozen=True)
class Schedule:
    """Steps and costs of the phases.

    Attributes:
        steps: of each phase.
        costs: of a step of each phase, relative to a step of the final phase.
        time_budget_s: of the whole training; None if only steps limit it.
        preparation_s: time before the first step, which the budget includes.
    """

    steps: dict[str, int]
    costs: dict[str, float]
    time_budget_s: float | None = None
    preparation_s: float = 0.0

    @classmethod
    def of(cls, config: TrainConfig) -> Schedule:
        """Return the schedule of a training; without a generator there is no warm-up."""
        warmup = config.warmup_steps if config.has_generator else 0
        counts = (warmup, config.joint_steps, config.final_steps)
        joint = _joint_cost(config) if config.has_generator else 1.0
        costs = (_WARMUP_COST, joint, 1.0)
        return cls(dict(zip(PHASES, counts)), dict(zip(PHASES, costs)), config.time_budget_s)

    @property
    def deadline_s(self) -> float:
        """Seconds after which the last step ends; infinity without a time budget."""
        if self.time_budget_s is None:
            return math.inf
        return self.time_budget_s - min(_RESERVE_S, _RESERVE_FRACTION * self.time_budget_s)

    @property
    def total(self) -> int:
        """Steps of all phases."""
        return sum(self.steps.values())

    def steps_before(self, phase: str) -> int:
        """Return the steps of the phases before this one."""
        return sum(self.steps[name] for name in PHASES[: PHASES.index(phase)])

    def is_over(self, phase: str, step: int, elapsed_s: float) -> bool:
        """Return whether a phase has used up its steps, or its share of the time budget."""
        return step >= self.steps[phase] or elapsed_s >= self.phase_end_s(phase)

    def lr_fraction(self, phase: str, step: int, elapsed_s: float) -> float:
        """Return the factor of the segmenter's learning rate: linear warm-up, polynomial decay."""
        warmup = min(1.0, (self._segmenter_steps(phase, step) + 1) / _LR_WARMUP_STEPS)
        remaining = max(_MIN_LR_FRACTION, 1 - self.progress(phase, step, elapsed_s))
        return float(warmup * remaining**_LR_POWER)

    def progress(self, phase: str, step: int, elapsed_s: float) -> float:
        """Return the fraction of the segmenter's training that is done, by steps or by time."""
        total = max(1, self.steps["joint"] + self.steps["final"])
        by_steps = self._segmenter_steps(phase, step) / total
        if self.time_budget_s is None:
            return by_steps
        start = self.phase_end_s("warm-up")
        return max(by_steps, (elapsed_s - start) / max(1e-9, self.deadline_s - start))

    def fraction(self, phase: str, step: int, elapsed_s: float) -> float:
        """Return the fraction of the whole training that is done: of its work, or of its time."""
        work = self._work_until(phase) - (self.steps[phase] - step) * self.costs[phase]
        return min(
            1.0, max(work / max(1e-9, self._work_until("final")), elapsed_s / self.deadline_s)
        )

    def _segmenter_steps(self, phase: str, step: int) -> int:
        return step + (self.steps["joint"] if phase == "final" else 0)

    def remaining_s(self, phase: str, step: int, step_s: float, elapsed_s: float) -> float:
        """Estimate the remaining seconds from the seconds per step of the current phase."""
        unit = step_s / self.costs[phase]
        remaining = (self.steps[phase] - step) * step_s
        for name in PHASES[PHASES.index(phase) + 1 :]:
            remaining += self.steps[name] * unit * self.costs[name]
        return max(0.0, min(remaining, self.deadline_s - elapsed_s))

    def phase_end_s(self, phase: str) -> float:
        """Return the seconds after which a phase has used up its share of the time budget."""
        if self.time_budget_s is None:
            return math.inf
        fraction = self._work_until(phase) / max(1e-9, self._work_until("final"))
        return self.preparation_s + fraction * (self.deadline_s - self.preparation_s)

    def _work_until(self, phase: str) -> float:
        """Return the cost of all steps up to the end of a phase."""
        phases = PHASES[: PHASES.index(phase) + 1]
        return sum(self.steps[name] * self.costs[name] for name in phases)


def averaging_decay(steps: int) -> float:
    """Return the decay of the averaged weights, whose memory is a twentieth of the training.

    With a longer one, the model of a short training would contain weights from long before the
    learning rate was annealed.
    """
    return round(min(TrainConfig.ema_decay, max(0.5, 1 - _AVERAGED_PARTS / steps)), 4)


def _joint_cost(config: TrainConfig) -> float:
    if config.hypergradient == "none":
        return _JOINT_COST
    return _JOINT_COST + _HYPERGRADIENT_COST / config.upper_interval
