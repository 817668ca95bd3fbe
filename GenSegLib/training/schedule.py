"""When which phase runs, and how large the steps are."""

from __future__ import annotations

from dataclasses import dataclass

from ..config import TrainConfig

PHASES = ("warm-up", "joint", "final")
# What steps cost, in final steps without unlabeled scans, measured in the runs of
# Testing/Benchmarks/core_accuracy.py; those of the segmenter cost more with such scans.
_WARM_UP_COST = 1.2
_JOINT_COST = 1.9  # without feedback
_FEEDBACK_COST = 3.0  # of each update of the upper level
_CONSISTENCY_COSTS = {"none": 0.0, "mean-teacher": 0.5, "uncertainty-aware": 0.95}
_RISE = 50
_DECAY_POWER = 0.9


@dataclass(frozen=True)
class Schedule:
    """The phases' steps, what one of each costs, and a time budget in s.

    Attributes:
        costs: of a step of each phase, in steps of the final phase.
    """

    steps: dict[str, int]
    costs: dict[str, float]
    time_budget_s: float | None = None

    @classmethod
    def of(cls, config: TrainConfig) -> Schedule:
        """Return the schedule of a training; without a generator there is no warm-up."""
        warm_up = config.warmup_steps if config.has_generator else 0
        counts = (warm_up, config.joint_steps, config.final_steps)
        joint = _cost_of_joint(config) if config.has_generator else 1.0
        extra = _CONSISTENCY_COSTS[config.consistency]
        final = 1.0 + extra
        costs = (_WARM_UP_COST / final, (joint + extra) / final, 1.0)
        return cls(dict(zip(PHASES, counts)), dict(zip(PHASES, costs)), config.time_budget_s)

    @property
    def total(self) -> int:
        """All steps of all phases."""
        return sum(self.steps.values())

    def before(self, phase: str) -> int:
        """Return the steps of the phases before this one."""
        return sum(self.steps[name] for name in PHASES[: PHASES.index(phase)])

    def is_over(self, phase: str, step: int, elapsed_s: float) -> bool:
        """Tell whether a phase has had its steps, or its share of the time."""
        if step >= self.steps[phase]:
            return True
        return self.time_budget_s is not None and elapsed_s >= self._ends_at(phase)

    def segmenter_rate(self, phase: str, step: int, elapsed_s: float) -> float:
        """Return the factor of the segmenter's rate: a short rise, then a fall to zero."""
        passed = self.passed(phase, step, elapsed_s)
        rise = min(1.0, (self._segmenter_steps(phase, step) + 1) / _RISE)
        return float(rise * max(0.01, 1 - passed) ** _DECAY_POWER)

    def passed(self, phase: str, step: int, elapsed_s: float) -> float:
        """Return the share of the segmenter's training that is over, by its steps or its time."""
        whole = max(1, self.steps["joint"] + self.steps["final"])
        passed = self._segmenter_steps(phase, step) / whole
        if self.time_budget_s is None:
            return passed
        start = self._ends_at("warm-up")
        return max(passed, (elapsed_s - start) / max(1e-9, self.time_budget_s - start))

    def _segmenter_steps(self, phase: str, step: int) -> int:
        return step + (self.steps["joint"] if phase == "final" else 0)

    def remaining_s(self, phase: str, step: int, rate_s: float, elapsed_s: float) -> float:
        """Estimate the time to the end from the present phase's seconds a step."""
        unit = rate_s / self.costs[phase]
        left = (self.steps[phase] - step) * rate_s
        for name in PHASES[PHASES.index(phase) + 1 :]:
            left += self.steps[name] * unit * self.costs[name]
        if self.time_budget_s is None:
            return left
        return max(0.0, min(left, self.time_budget_s - elapsed_s))

    def _ends_at(self, phase: str) -> float:
        assert self.time_budget_s is not None
        work = {name: self.steps[name] * self.costs[name] for name in PHASES}
        until = sum(work[name] for name in PHASES[: PHASES.index(phase) + 1])
        return self.time_budget_s * until / max(1e-9, sum(work.values()))


def _cost_of_joint(config: TrainConfig) -> float:
    if config.hypergradient == "none":
        return _JOINT_COST
    return _JOINT_COST + _FEEDBACK_COST / config.upper_every
