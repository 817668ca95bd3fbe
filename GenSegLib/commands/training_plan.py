"""Plan a training from its prepared cases and the machine, for the commands that train."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..config import PHASE_STEPS, TARGET_SCANNERS, TrainConfig, with_target_scanner
from ..planning.candidates import Candidate
from ..planning.plan import BUDGETS_S, Limits, Plan, default_generator, make_plan, plan_settings
from ..presets import EFFORTS, Preset
from ..runs import RunFolder
from .training_cases import PreparedCases

_OF_STEPS = {*PHASE_STEPS, "time_budget_s", "expected_steps", "validation_interval"}
_EFFORT = "standard"


def plan_training(
    prepared: PreparedCases,
    effort: str | None,
    changes: Mapping[str, Any],
    spent_s: float = 0.0,
) -> tuple[TrainConfig, Preset, Plan | None]:
    """Return the settings of a training, its preset with all values fixed, and the plan.

    A preset with spacing stays as it is; without a GPU, its steps follow the time.

    Args:
        prepared: checked cases and their preset.
        effort: one of `EFFORTS`, or None.
        changes: settings that the user specified.
        spent_s: seconds of the time budget that have passed.
    """
    if prepared.has_other_modality and changes.get("self_training"):
        changes = {"target_scanner": TARGET_SCANNERS["similar"], **changes}
    changes = with_target_scanner(changes)
    if changes.get("target_scanner"):
        prepared = replace(prepared, preset=prepared.preset.for_any_scanner())
    preset, has_steps = prepared.preset, any(name in changes for name in PHASE_STEPS)
    if preset.spacing is None:
        plan = plan_cases(prepared, effort, changes, spent_s)
        planned = {k: v for k, v in plan.changes.items() if not (has_steps and k in _OF_STEPS)}
        is_all = has_steps and not effort  # other steps are those of the effort, or none
        defaults = {"warmup_steps": 0, "joint_steps": 0, "final_steps": 1} if is_all else {}
        settings = {**planned, **defaults, **changes}
        return TrainConfig.for_preset(plan.preset, effort or _EFFORT, **settings), plan.preset, plan
    labeled = len(prepared.cases.labeled)
    config = TrainConfig.for_preset(preset, effort or _EFFORT, labeled, **changes)
    if not (has_steps or effort) and _is_limited(config):
        config = _fit_to_time(prepared, config, changes, spent_s, labeled)
    return config, preset, None


def plan_cases(
    prepared: PreparedCases, effort: str | None, changes: Mapping[str, Any], spent_s: float
) -> Plan:
    """Plan the training of a preset without spacing; see `plan_training`."""
    from ..planning.timing import measure_step

    named = {key: value for key, value in changes.items() if key not in _OF_STEPS}
    config = TrainConfig.for_preset(prepared.preset, **named)
    classes = len(prepared.cases.labels) + 1
    limits = _limits(config, effort, changes, spent_s)

    def measure(candidate: Candidate) -> float:
        return measure_step(candidate.preset, config, classes, candidate.batch_size)

    preset = replace(prepared.preset, segmenter=config.segmenter, encoder=config.encoder)
    return make_plan(prepared.fingerprint, preset, limits, measure, prepared.cases.labels)


def _limits(
    config: TrainConfig, effort: str | None, changes: Mapping[str, Any], spent_s: float
) -> Limits:
    from ..computing.devices import choose_device
    from ..planning.timing import free_memory

    device = choose_device(config.device)
    return Limits(
        budget_s=changes.get("time_budget_s") or BUDGETS_S[effort or _EFFORT],
        memory=free_memory(device),
        has_gpu=device.type != "cpu",
        generator=changes.get("generator"),
        batch_size=changes.get("batch_size"),
        spent_s=spent_s,
    )


def plan_continuation(
    prepared: PreparedCases,
    planned: bool,
    effort: str | None,
    changes: Mapping[str, Any],
    spent_s: float,
) -> TrainConfig:
    """Return the settings of a training with the preset of a model.

    Args:
        prepared: checked cases and the preset of the model.
        planned: whether the preset was planned; its steps follow the time then.
        effort: see `plan_training`.
        changes: settings that the model's training and the user specified.
        spent_s: see `plan_training`.
    """
    if not planned or any(name in changes for name in PHASE_STEPS):
        return plan_training(prepared, effort, changes, spent_s)[0]
    config = TrainConfig.for_preset(prepared.preset, effort or _EFFORT, **changes)
    return _fit_to_time(prepared, config, changes, spent_s, effort=effort)


def settings_of(run: RunFolder) -> tuple[str | None, dict[str, Any]]:
    """Return the effort and settings that the user chose for a run that a program created.

    Earlier versions did not store them: there, they are the settings that differ from the defaults.
    """
    if run.requested is not None:
        return run.requested
    config, preset = run.config, run.preset
    for effort in EFFORTS:
        defaults = TrainConfig.for_preset(preset, effort).to_json()
        changes = {k: v for k, v in config.to_json().items() if v != defaults[k]}
        if not any(name in changes for name in PHASE_STEPS):
            return effort, changes
    return None, changes


def _is_limited(config: TrainConfig) -> bool:
    from ..computing.devices import choose_device

    return config.time_budget_s is not None or choose_device(config.device).type == "cpu"


def _fit_to_time(
    prepared: PreparedCases,
    config: TrainConfig,
    changes: Mapping[str, Any],
    spent_s: float,
    labeled: int | None = None,
    effort: str | None = None,
) -> TrainConfig:
    """Return the settings of a training whose preset is fixed, with steps that follow the time.

    The generator is chosen first, since the batch size depends on it.
    """
    from ..planning.timing import measure_step

    preset, classes = prepared.preset, len(prepared.cases.labels) + 1
    limits = _limits(config, effort, changes, spent_s)
    generator = config.generator
    if config.has_generator and "generator" not in changes:
        generator = default_generator(preset, limits)
    limits, changes = replace(limits, generator=generator), {**changes, "generator": generator}
    config = TrainConfig.for_preset(preset, effort or _EFFORT, labeled, **changes)
    seconds = measure_step(preset, config, classes, config.batch_size)
    settings = plan_settings(preset, config.batch_size, limits, seconds)
    return replace(config, **{**settings, **changes})
