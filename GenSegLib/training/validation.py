"""What the segmenter finds in the cases that were held back, and its Dice there."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..augmentation.shapes import largest
from ..augmentation.subject import Subject
from ..computing.devices import Precision
from ..prediction.sliding import segment
from .learner import Learner


def held_back_predictions(learner: Learner) -> list[torch.Tensor]:
    """Return what the averaged segmenter finds in each held-back case: classes (*shape).

    Of large cases that is the part around the labels: whole scans would take longer than the
    steps between two validations.
    """
    held_back = learner.subjects[learner.training :]
    autocast, patch_size = learner.problem.autocast, learner.patch_size
    with learner.averaged_segmenter() as segmenter:
        return [_predicted(segmenter, patch_size, each.close_up(), autocast) for each in held_back]


def _predicted(
    network: nn.Module, patch_size: Sequence[int], subject: Subject, autocast: Precision
) -> torch.Tensor:
    with autocast():
        probabilities = segment(network, patch_size, subject.image[None])
    return largest(probabilities)[0, 0].to(torch.uint8)


def mean_dice(predicted: torch.Tensor, label: torch.Tensor, classes: int) -> float:
    """Return the mean Dice over the classes that the label or the prediction holds."""
    scores = []
    for value in range(1, classes):
        first, second = predicted == value, label == value
        size = int(first.sum()) + int(second.sum())
        if size:
            scores.append(2 * int((first & second).sum()) / size)
    return sum(scores) / max(1, len(scores))


def validation_dice(learner: Learner, predicted: Sequence[torch.Tensor]) -> float:
    """Return the mean Dice over held-back cases and classes; see `held_back_predictions`."""
    pairs = zip(predicted, learner.subjects[learner.training :])
    scores = [mean_dice(each, subject.close_up().label, learner.classes) for each, subject in pairs]
    return sum(scores) / len(scores)
