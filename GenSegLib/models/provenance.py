"""What a model's record says about where its training came from.

Light: the standard library only.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from ..config import GENERATORS, TrainConfig
from ..runs import RunFolder
from .folder import ModelMetadata
from .initial_model import FOLDER, FRESH, WarmStart
from .training_record import TrainingRecord

INHERITED = (
    *("generator", "hypergradient", "batch_size", "generated_batch_size", "validation_fraction"),
    *("augmentation_strength", "augmentation_transforms", "target_scanner"),
)
"""Settings that a training inherits from the model that it starts from."""


def with_provenance(record: TrainingRecord, run: RunFolder) -> TrainingRecord:
    """Add to a record what a later training that starts from the model needs to know."""
    start = WarmStart.load(run.path)
    planned = run.plan is not None
    if start is not None:
        planned = planned or ModelMetadata.load(run.path / FOLDER).training.planned
    record = replace(record, planned=planned, settings=_changed(run.config))
    if start is None or start.outcome == FRESH:
        return record
    return replace(record, started_from=start.model, started_cases=start.cases)


def inherited_settings(record: TrainingRecord) -> dict[str, Any]:
    """Return the settings of a training that starts from a model with this record.

    A generator that has been removed since is left to the default.
    """
    settings = {name: value for name, value in record.settings.items() if name in INHERITED}
    if settings.get("generator", "none") not in GENERATORS:
        del settings["generator"]
    return settings


def _changed(config: TrainConfig) -> dict[str, Any]:
    """Return the settings that differ from the defaults."""
    defaults = {field.name: field.default for field in fields(TrainConfig)}
    values = {name: getattr(config, name) for name in INHERITED}
    return {name: value for name, value in values.items() if value != defaults[name]}
