"""Model folder of a finished training, and what the user must know about the model."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from ..models.folder import ModelMetadata
from ..models.provenance import with_provenance
from ..models.training_record import TrainingRecord
from ..models.weights import save_model
from ..networks import segmenter_target
from ..runs import RunFolder
from .checkpoints import TrainingState
from .learner import Learner
from .schedule import Schedule
from .typical_features import set_typical_features
from .volumes import case_volumes, volume_ranges

_FEW_CASES = 5


def training_record(
    schedule: Schedule, state: TrainingState, expected_steps: int = 0
) -> TrainingRecord:
    """Return the record of a training that has ended.

    Args:
        schedule: of the training.
        state: at its end.
        expected_steps: that were expected to fit into the time; 0 if only steps limit it.
    """
    phases = ("joint", "final")  # those of the segmenter
    most = sum(schedule.steps[phase] for phase in phases)
    return TrainingRecord(
        steps=most - sum(state.missing_steps.get(phase, 0) for phase in phases),
        planned_steps=min(most, expected_steps) if expected_steps else most,
        seconds=round(state.elapsed_s, 1),
        steps_after_validation=0 if state.last_dice is None else state.step,
        fit_dice=None if state.fit_dice is None else round(state.fit_dice, 4),
    )


def training_warnings(
    record: TrainingRecord, state: TrainingState, training_cases: int
) -> Iterator[str]:
    """Yield a warning for each reason not to use the model, with the remedy that fits.

    Args:
        record: see `training_record`.
        state: of the training at its end.
        training_cases: number of labeled cases it learned from before validation.
    """
    dice = state.last_dice
    if record.has_learned_nothing(dice):
        what = "all its predictions are empty" if state.is_empty else f"validation Dice {dice:.2f}"
        if record.is_cut_short:
            remedy = "train with a longer time budget"
        elif training_cases < _FEW_CASES:
            remedy = f"label more cases, since it learned from {training_cases} only"
        else:
            remedy = "check that the labels lie on the structures in the images"
        yield f"the model is not usable ({what}); {remedy}"
    elif record.is_cut_short:
        yield (
            f"the time budget allowed only {record.steps} of {record.planned_steps} steps; a "
            "longer budget or a faster machine would give a better model"
        )


def write_model(
    run: RunFolder,
    learner: Learner,
    labels: dict[int, str],
    validation_dice: float | None,
    record: TrainingRecord,
) -> None:
    """Write the averaged segmenter and its metadata.

    Args:
        run: run folder, whose name becomes the model's.
        learner: the trained networks.
        labels: names of the label values.
        validation_dice: mean Dice on the validation cases before the final phase trained on them.
        record: of the training.
    """
    set_typical_features(learner)
    network = run.config.network
    spacings = zip(*(case.spacing for case in learner.cases))
    metadata = ModelMetadata(
        name=run.path.absolute().name,
        preset=run.preset,
        labels=labels,
        network=network,
        network_target=segmenter_target(network),
        network_args=learner.arguments,
        cases=len(learner.cases),
        validation={} if validation_dice is None else {"dice": round(validation_dice, 4)},
        spacing=tuple(statistics.median(axis) for axis in spacings),
        volumes=volume_ranges(case_volumes(learner.cases, learner.sets)),
        training=with_provenance(record, run),
        includes=run.cases.includes,
    )
    save_model(run.model, metadata, learner.averaged_segmenter.state_dict())
