"""Turns a finished training into a model folder."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from ..cuts import Cut
from ..images.cutting import find_cuts
from ..models.folder import ModelMetadata
from ..models.weights import save_model
from ..networks import segmenter_target
from ..runs import RunFolder
from .learner import Learner
from .volumes import volume_ranges, volumes_of


def write_model(
    run: RunFolder,
    learner: Learner,
    labels: dict[int, str],
    validation_dice: float | None,
    tell: Callable[[str], None],
) -> None:
    """Write the averaged segmenter and all that prediction needs to know of it.

    Args:
        run: the run folder, whose name becomes the model's.
        learner: the trained networks.
        labels: names of the label values.
        validation_dice: mean Dice on the held-back cases before they joined the training.
        tell: is told in one line at which planes predictions will be cut.
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
        cuts=_cuts_of(learner, labels, run.preset.orientation) if run.config.cuts else (),
        volumes=volume_ranges(volumes_of(learner.subjects, labels)),
    )
    for cut in metadata.cuts:
        first, second = (labels[value] for value in cut.labels)
        tell(
            f"the labeled cases part {first} and {second} at a plane of the grid, at "
            f"{cut.share:.0%} of their length: predictions do, too (--set cuts=false: they do not)"
        )
    with learner.averaged_segmenter() as segmenter:
        save_model(run.model, metadata, segmenter.state_dict())


def _cuts_of(learner: Learner, labels: dict[int, str], orientation: str) -> tuple[Cut, ...]:
    arrays = (subject.label.cpu().numpy() for subject in learner.subjects)
    if len(learner.patch_size) != len(orientation):
        return ()  # of slices, which no plane cuts
    return find_cuts(arrays, sorted(labels), orientation)
