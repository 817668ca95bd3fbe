"""Schedule of a training: lengths and costs of its phases, and the segmenter's learning rate."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import TrainConfig

PHASES = ("warm-up", "joint", "final")
# Seconds of a step relative to a final step without unlabeled images, measured in the runs of
# Testing/Benchmarks/core_accuracy.py; consistency adds to the segmenter's steps.
_WARMUP_COST = 1.2
_JOINT_COST = 1.9  # without hypergradient
_HYPERGRADIENT_COST = 3.0
_CONSISTENCY_COSTS = {"none": 0.0, "mean-teacher": 0.5, "uncertainty-aware": 0.95}
_LR_WARMUP_STEPS = 50
_LR_POWER = 0.9  # of the polynomial decay
_MIN_LR_FRACTION = 0.01


@dataclass(frozen=True)
class Schedule:
    """Steps and costs of the phases.

    Attributes:
        steps: of each phase.
        costs: of a step of each phase, relative to a step of the final phase.
        time_budget_s: of the training; None if only steps limit it.
    """

    steps: dict[str, int]
    costs: dict[str, float]
    time_budget_s: float | None = None

    @classmethod
    def of(cls, config: TrainConfig) -> Schedule:
        """Return the schedule of a training; without a generator there is no warm-up."""
        warmup = config.warmup_steps if config.has_generator else 0
        counts = (warmup, config.joint_steps, config.final_steps)
        joint = _joint_cost(config) if config.has_generator else 1.0
        extra = _CONSISTENCY_COSTS[config.consistency]
        final = 1.0 + extra
        costs = (_WARMUP_COST / final, (joint + extra) / final, 1.0)
        return cls(dict(zip(PHASES, counts)), dict(zip(PHASES, costs)), config.time_budget_s)

    @property
    def total(self) -> int:
        """Steps of all phases."""
        return sum(self.steps.values())

    def steps_before(self, phase: str) -> int:
        """Return the steps of the phases before this one."""
        return sum(self.steps[name] for name in PHASES[: PHASES.index(phase)])

    def is_over(self, phase: str, step: int, elapsed_s: float) -> bool:
        """Return whether a phase has used up its steps, or its share of the time budget."""
        if step >= self.steps[phase]:
            return True
        return self.time_budget_s is not None and elapsed_s >= self._end_of(phase)

    def lr_fraction(self, phase: str, step: int, elapsed_s: float) -> float:
        """Return the factor of the segmenter's learning rate: linear warm-up, polynomial decay."""
        warmup = min(1.0, (self._segmenter_steps(phase, step) + 1) / _LR_WARMUP_STEPS)
        remaining = max(_MIN_LR_FRACTION, 1 - self.progress(phase, step, elapsed_s))
        return float(warmup * remaining**_LR_POWER)

    def progress(self, phase: str, step: int, elapsed_s: float) -> float:
        """Return the fraction of the segmenter's training that is done, by steps or by time."""
        total = max(1, self.steps["joint"] + self.steps["final"])
        progress = self._segmenter_steps(phase, step) / total
        if self.time_budget_s is None:
            return progress
        start = self._end_of("warm-up")
        return max(progress, (elapsed_s - start) / max(1e-9, self.time_budget_s - start))

    def _segmenter_steps(self, phase: str, step: int) -> int:
        return step + (self.steps["joint"] if phase == "final" else 0)

    def remaining_s(self, phase: str, step: int, step_s: float, elapsed_s: float) -> float:
        """Estimate the remaining seconds from the seconds per step of the current phase."""
        unit = step_s / self.costs[phase]
        remaining = (self.steps[phase] - step) * step_s
        for name in PHASES[PHASES.index(phase) + 1 :]:
            remaining += self.steps[name] * unit * self.costs[name]
        if self.time_budget_s is None:
            return remaining
        return max(0.0, min(remaining, self.time_budget_s - elapsed_s))

    def _end_of(self, phase: str) -> float:
        assert self.time_budget_s is not None
        costs = [self.steps[name] * self.costs[name] for name in PHASES]
        until = sum(costs[: PHASES.index(phase) + 1])
        return self.time_budget_s * until / max(1e-9, sum(costs))


def _joint_cost(config: TrainConfig) -> float:
    if config.hypergradient == "none":
        return _JOINT_COST
    return _JOINT_COST + _HYPERGRADIENT_COST / config.upper_interval
