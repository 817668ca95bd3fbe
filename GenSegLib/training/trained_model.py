"""Model folder of a finished training."""

from __future__ import annotations

import statistics

from ..models.folder import ModelMetadata
from ..models.weights import save_model
from ..networks import segmenter_target
from ..runs import RunFolder
from .learner import Learner
from .volumes import case_volumes, volume_ranges


def write_model(
    run: RunFolder, learner: Learner, labels: dict[int, str], validation_dice: float | None
) -> None:
    """Write the averaged segmenter and its metadata.

    Args:
        run: run folder, whose name becomes the model's.
        learner: the trained networks.
        labels: names of the label values.
        validation_dice: mean Dice on the validation cases before the final phase trained on them.
    """
    network = run.config.segmenter
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
        volumes=volume_ranges(case_volumes(learner.cases, labels)),
    )
    save_model(run.model, metadata, learner.averaged_segmenter.state_dict())
