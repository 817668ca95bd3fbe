"""The Dice of the segmenter on the cases that were held back."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ..augmentation.shapes import largest
from ..augmentation.subject import LabelledCase, Subject
from ..computing.devices import Precision
from ..prediction.sliding import segment


def predict(
    network: nn.Module, patch_size: Sequence[int], subject: Subject, autocast: Precision
) -> torch.Tensor:
    """Return the predicted label (*shape) of a prepared case."""
    with autocast():
        probabilities = segment(network, patch_size, subject.image[None])
    return largest(probabilities)[0, 0]


def mean_dice(predicted: torch.Tensor, label: torch.Tensor, classes: int) -> float:
    """Return the mean Dice over the classes that the label or the prediction holds."""
    scores = []
    for value in range(1, classes):
        first, second = predicted == value, label == value
        size = int(first.sum()) + int(second.sum())
        if size:
            scores.append(2 * int((first & second).sum()) / size)
    return sum(scores) / max(1, len(scores))


def validation_dice(
    network: nn.Module,
    patch_size: Sequence[int],
    subjects: Sequence[LabelledCase],
    classes: int,
    autocast: Precision,
) -> float:
    """Return the mean Dice over cases and classes, in evaluation mode.

    Of large cases only the part around the labels counts: whole scans would take longer than the
    steps between two validations.
    """
    was_training = network.training
    network.eval()
    scores = [
        mean_dice(predict(network, patch_size, subject, autocast), subject.label, classes)
        for subject in (each.close_up() for each in subjects)
    ]
    network.train(was_training)
    return sum(scores) / len(scores)
