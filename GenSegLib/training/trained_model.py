"""Turns a finished training into a model folder."""

from __future__ import annotations

import statistics

from ..models.folder import ModelMetadata
from ..models.weights import save_model
from ..networks import segmenter_target
from ..runs import RunFolder
from .learner import Learner


def write_model(
    run: RunFolder, learner: Learner, labels: dict[int, str], validation_dice: float | None
) -> None:
    """Write the averaged segmenter and all that prediction needs to know of it.

    Args:
        run: the run folder, whose name becomes the model's.
        learner: the trained networks.
        labels: names of the label values.
        validation_dice: mean Dice on the held-back cases before they joined the training.
    """
    name = run.config.segmenter
    spacings = zip(*(subject.spacing for subject in learner.subjects))
    metadata = ModelMetadata(
        name=run.path.absolute().name,
        preset=run.preset,
        labels=labels,
        network=name,
        network_target=segmenter_target(name),
        network_args=learner.arguments,
        cases=len(learner.subjects),
        validation={} if validation_dice is None else {"dice": round(validation_dice, 4)},
        spacing=tuple(statistics.median(axis) for axis in spacings),
    )
    with learner.averaged_segmenter() as segmenter:
        save_model(run.model, metadata, segmenter.state_dict())
