"""Choice of a plan: the largest candidate that completes its training in the time and memory.

Light: numpy alone; the seconds of a step are measured by the caller's function.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ..config import GENERATORLESS, PHASE_STEPS, TrainConfig
from ..errors import GenSegError
from ..presets import EFFORTS, Preset
from ..progress import format_duration
from ..text_table import text_table
from ..training.schedule import PHASES, Schedule, averaging_decay
from .candidates import CPU, GPU, Candidate, list_candidates
from .fingerprint import Fingerprint

BUDGETS_S = dict(zip(EFFORTS, (300.0, 1200.0, 3600.0)))
"""Default time budget by effort."""

Measure = Callable[[Candidate], float]

_USABLE = 0.85  # of the budget, for optimizer steps; the rest is preparation and validation
_MIN_LEFT = 0.1  # of the budget, however long the check of the cases took
_ENOUGH = 0.9  # of a candidate's steps count as all of them
_MIN_STEPS = 300
_UNCERTAINTY = 1.5  # of estimated seconds; beyond, a candidate is not measured
_JOINT_FRACTION = 0.3  # of the steps, with validation; all labeled cases take part in the rest
_SPARE_STEPS = 8  # the time ends a training, also one that turns out to be much faster
_VALIDATIONS = 8
_MAX_STEPS = 30_000
_GENERATOR_BUDGET_S = 3600.0  # on a CPU, generated pairs are worth their time from here on
_SMALLEST_BATCHES = (4, 2, 1)
_MIN_VOXELS = 20
_SAME_SIZE = 1.1  # of the longer sides of 2-D images, largest to smallest
_HEADINGS = ("candidate", "network", "batch", "seconds a step", "steps", "")


@dataclass(frozen=True)
class Limits:
    """What the machine and the user allow.

    Attributes:
        budget_s: seconds of the whole training.
        memory: bytes for network and cases.
        has_gpu: whether a GPU trains.
        generator: of image-label pairs, for volumes in 3-D; None to choose.
        batch_size: patches a step; None to choose.
        spent_s: seconds of the budget that have passed, such as for the check of the cases.
    """

    budget_s: float
    memory: int
    has_gpu: bool = False
    generator: str | None = None
    batch_size: int | None = None
    spent_s: float = 0.0

    @property
    def usable_s(self) -> float:
        """Seconds for optimizer steps."""
        return _USABLE * max(self.budget_s - self.spent_s, _MIN_LEFT * self.budget_s)


@dataclass(frozen=True)
class Row:
    """A candidate in the table of a plan.

    Attributes:
        candidate: spacing and patch.
        network: its width, or name.
        seconds: of a step.
        measured: whether the seconds were measured rather than estimated.
        steps: that fit into the budget.
        reason: why it was chosen, or not.
        chosen: whether it is the plan.
    """

    candidate: str
    network: str
    batch_size: int
    seconds: float
    measured: bool
    steps: int
    reason: str
    chosen: bool = False


@dataclass(frozen=True)
class Plan:
    """A planned training.

    Attributes:
        preset: with all values fixed.
        changes: settings of the training, by name.
        seconds_per_step: of the segmenter.
        steps: optimizer steps that are expected to fit into the budget.
        budget_s: seconds.
        summary: one line for users.
        notes: further lines, such as limits of the data.
        rows: the candidates, the largest first.
        fingerprint: of the cases.
    """

    preset: Preset
    changes: dict[str, Any]
    seconds_per_step: float
    steps: int
    budget_s: float
    summary: str
    notes: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    fingerprint: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values, as stored in a run's plan.json."""
        return asdict(self) | {"preset": self.preset.to_json()}


def make_plan(
    fingerprint: Fingerprint,
    preset: Preset,
    limits: Limits,
    measure: Measure,
    labels: Mapping[int, str] | None = None,
) -> Plan:
    """Plan the training of a preset without spacing.

    Args:
        fingerprint: of the cases.
        preset: the task's preset.
        limits: of time and memory.
        measure: returns the seconds of a candidate's optimizer step.
        labels: names of the classes, which a preset for any structure lacks.

    Raises:
        GenSegError: a generator of pairs was requested for a 2-D network and volumes.
    """
    scale = GPU if limits.has_gpu else CPU
    if limits.batch_size is not None:
        scale = replace(scale, slices=limits.batch_size)
    is_free = limits.generator is None or limits.generator in GENERATORLESS
    if fingerprint.slices > 1 and preset.encoder == "pretrained" and not is_free:
        others = " or ".join(GENERATORLESS)
        raise GenSegError(
            f"the generator {limits.generator!r} makes pairs of volumes, but a pretrained encoder "
            f"is for 2-D images; choose --encoder scratch, or --generator {others}"
        )
    candidates = list_candidates(fingerprint, preset, scale, slices=is_free)
    choice = _Choice(candidates, fingerprint, limits, measure)
    chosen = choice.choose()
    seconds = choice.seconds(chosen)
    steps = int(limits.usable_s / seconds)
    return Plan(
        preset=chosen.preset,
        changes=plan_settings(chosen.preset, chosen.batch_size, limits, seconds),
        seconds_per_step=round(seconds, 4),
        steps=steps,
        budget_s=limits.budget_s,
        summary=_summary(chosen, limits, steps, fingerprint),
        notes=_notes(chosen, fingerprint, steps, labels or preset.labels, limits.memory),
        rows=choice.rows(chosen),
        fingerprint=fingerprint.to_json(),
    )


class _Choice:
    """Estimates and measures candidates until one fits."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        fingerprint: Fingerprint,
        limits: Limits,
        measure: Measure,
    ) -> None:
        self._limits, self._measure, self._fingerprint = limits, measure, fingerprint
        self._all = list(candidates)
        self._fitting = [each for each in candidates if self._needs(each) <= limits.memory]
        if not self._fitting:
            self._all.insert(0, self._with_small_batch(candidates[0]))
            self._fitting = self._all[:1]
        self._preferred = [each for each in self._fitting if each.rank > 0] or self._fitting
        self.measured: dict[Candidate, float] = {}

    def seconds(self, candidate: Candidate) -> float:
        """Return the measured seconds of a step, or an estimate from those of the most similar."""
        if candidate in self.measured:
            return self.measured[candidate]
        near = min(self.measured, key=lambda each: abs(math.log(each.cost / candidate.cost)))
        return self.measured[near] * candidate.cost / near.cost

    def choose(self) -> Candidate:
        """Return the largest candidate that completes its training, or the cheapest one."""
        base = self._preferred[0]
        self._time(base)
        order = sorted(self._preferred, key=lambda each: (each.rank, each.cost), reverse=True)
        for each in order:
            if self._fits(each, _UNCERTAINTY):
                self._time(each)
                if self._fits(each):
                    return each
        by_rank = sorted(self._preferred, key=lambda each: (-each.rank, each.cost))
        enough = [each for each in by_rank if self._steps(each) >= _MIN_STEPS]
        cheapest = enough[0] if enough else self._fitting[0]
        self._time(cheapest)
        return cheapest

    def rows(self, chosen: Candidate) -> tuple[Row, ...]:
        """Return the table, the largest candidate first."""
        return tuple(self._row(each, chosen) for each in reversed(self._all))

    def _row(self, candidate: Candidate, chosen: Candidate) -> Row:
        seconds, steps = self.seconds(candidate), self._steps(candidate)
        return Row(
            candidate=candidate.describe(),
            network=_network(candidate),
            batch_size=candidate.batch_size,
            seconds=round(seconds, 3),
            measured=candidate in self.measured,
            steps=steps,
            reason=self._reason(candidate, chosen),
            chosen=candidate is chosen,
        )

    def _reason(self, candidate: Candidate, chosen: Candidate) -> str:
        needed = f"{candidate.enough_steps:,}"
        if candidate is chosen:
            if self._needs(candidate) > self._limits.memory:
                return f"chosen: the smallest; {_memory_text(self._needs(candidate))}"
            if self._fits(candidate):
                return f"chosen: the largest that completes {needed} steps"
            return f"chosen: the most suitable one for the time; {needed} steps do not fit"
        if self._needs(candidate) > self._limits.memory:
            return _memory_text(self._needs(candidate))
        if not self._fits(candidate):
            return f"too slow: {needed} steps do not fit into the time"
        return "smaller than the plan" if candidate.rank > 0 else "less suited to these cases"

    def _needs(self, candidate: Candidate) -> int:
        return _needed_memory(candidate, self._fingerprint)

    def _with_small_batch(self, candidate: Candidate) -> Candidate:
        for size in _SMALLEST_BATCHES:
            smaller = replace(candidate, batch_size=size)
            if self._needs(smaller) <= self._limits.memory:
                break
        return smaller

    def _time(self, candidate: Candidate) -> None:
        if candidate not in self.measured:
            self.measured[candidate] = self._measure(candidate)

    def _steps(self, candidate: Candidate) -> int:
        return int(self._limits.usable_s / self.seconds(candidate))

    def _fits(self, candidate: Candidate, tolerance: float = 1.0) -> bool:
        return self._steps(candidate) * tolerance >= _ENOUGH * candidate.enough_steps


def _needed_memory(candidate: Candidate, fingerprint: Fingerprint) -> int:
    """Return the bytes for network and cases."""
    return candidate.memory + candidate.cases_memory(fingerprint)


def _memory_text(needed: int) -> str:
    return f"needs about {needed / 1e9:.1f} GB of memory"


def _network(candidate: Candidate) -> str:
    preset = candidate.preset
    name = f"{preset.segmenter}, pretrained" if preset.encoder != "scratch" else preset.segmenter
    return f"{name}, width {candidate.width}" if candidate.width else name


def plan_settings(
    preset: Preset, batch_size: int, limits: Limits, seconds: float
) -> dict[str, Any]:
    """Return the settings of a training.

    Args:
        preset: with all values fixed.
        batch_size: patches a step.
        limits: of time and memory.
        seconds: of an optimizer step.
    """
    common: dict[str, Any] = {"batch_size": batch_size, "time_budget_s": limits.budget_s}
    generator = limits.generator or default_generator(preset, limits)
    if generator not in GENERATORLESS:
        config = TrainConfig.for_preset(preset, generator=generator)
        return (
            common | {"generator": generator} | scaled_steps(config, 2 * seconds, limits.budget_s)
        )
    expected = max(2, min(_MAX_STEPS, int(limits.budget_s / seconds)))
    total = round(_SPARE_STEPS * expected)
    joint = max(1, round(_JOINT_FRACTION * total))
    return common | {
        "generator": generator,
        "warmup_steps": 0,
        "joint_steps": joint,
        "final_steps": total - joint,
        "expected_steps": max(1, int(limits.usable_s / seconds)),
        "validation_interval": max(1, round(_JOINT_FRACTION * expected / _VALIDATIONS)),
        "ema_decay": averaging_decay(expected),
    }


def default_generator(preset: Preset, limits: Limits) -> str:
    """Return the default generator.

    It is a network where a joint training fits into the time; transplanted lesions need no network.
    """
    if preset.lesions:
        return "transplants"
    is_fast = limits.has_gpu or limits.budget_s >= _GENERATOR_BUDGET_S
    is_3d = preset.spatial_dims == 3
    return TrainConfig.generator if is_3d and is_fast else "none"


def scaled_steps(config: TrainConfig, seconds: float, time_s: float) -> dict[str, Any]:
    """Return the steps of the three phases in the proportions of the settings.

    Args:
        config: settings with the steps of all phases.
        seconds: of a step of the final phase.
        time_s: seconds that the phases take together.
    """
    schedule = Schedule.of(config)
    total = sum(schedule.steps[phase] * schedule.costs[phase] for phase in PHASES)
    factor = time_s / (seconds * total)
    return {
        name: max(1, min(_MAX_STEPS, round(factor * schedule.steps[phase])))
        for name, phase in zip(PHASE_STEPS, PHASES)
    }


def _summary(chosen: Candidate, limits: Limits, steps: int, fingerprint: Fingerprint) -> str:
    training = f"about {_rounded(steps):,} steps in {format_duration(limits.budget_s)}"
    plan = f"{chosen.describe()}, {_network(chosen)}, {training}"
    smallest, largest = fingerprint.long_sides
    if fingerprint.long_side and largest > _SAME_SIZE * smallest:
        plan += (
            f", images of {smallest:,.0f} to {largest:,.0f} pixels along their longer side are "
            f"scaled to {fingerprint.long_side:,.0f}"
        )
    return f"Plan: {plan}"


def _rounded(steps: int) -> int:
    """Round to two digits."""
    unit = 10 ** max(0, len(str(steps)) - 2)
    return steps // unit * unit


def _notes(
    chosen: Candidate, fingerprint: Fingerprint, steps: int, labels: Mapping[int, str], memory: int
) -> tuple[str, ...]:
    """Return what limits the result: little memory or time, tiny structures."""
    notes = []
    needed = _needed_memory(chosen, fingerprint)
    if needed > memory:
        notes.append(
            f"the plan {_memory_text(needed)}, but {max(0, memory) / 1e9:.1f} GB are free: the "
            "training may fail; close other programs, or train where there is more"
        )
    if steps < _ENOUGH * chosen.enough_steps:
        notes.append(
            f"{chosen.enough_steps:,} steps do not fit into the time budget; a longer one gives a "
            "better model"
        )
    voxel_ml = chosen.voxel_ml(fingerprint)
    for value, each in fingerprint.classes.items():
        voxels = each.volume_ml / voxel_ml
        if voxels < _MIN_VOXELS:
            name = labels.get(value) or f"label {value}"
            notes.append(f"{name} has about {voxels:.0f} voxels in the median case")
    return tuple(notes)


def format_table(plan: Plan) -> str:
    """Return the candidates as a table for the terminal, and the plan in words."""
    table = text_table([_HEADINGS, *map(_cells, plan.rows)], underlined=True)
    return "\n".join([table, "", f"{plan.summary}; change it with --time-budget", *plan.notes])


def _cells(row: Row) -> tuple[str, ...]:
    seconds = f"{'' if row.measured else 'about '}{row.seconds:.2g}"
    amounts = (str(row.batch_size), seconds, f"{_rounded(row.steps):,}")
    return (row.candidate, row.network, *amounts, row.reason)
