"""Predictions and Dice of the averaged segmenter on validation cases."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..augmentation.spatial import argmax_channel
from ..networks.slice_wise import as_volume_network
from ..prediction.sliding_window import SlidingWindows, predict_probabilities
from .learner import Learner


def predict_validation_cases(learner: Learner) -> list[torch.Tensor]:
    """Return the predicted classes (*shape) of each validation case.

    Large cases are cropped around their foreground: whole ones would take longer than the training
    between two validations.
    """
    predictions = []
    for case in learner.cases[learner.training_count :]:
        image = case.foreground_region().image[None]
        windows = SlidingWindows.for_preset(learner.preset, image.shape[2:])
        network = as_volume_network(learner.averaged_segmenter, learner.preset)
        with learner.problem.autocast():
            probabilities = predict_probabilities(network, windows, image)
        predictions.append(argmax_channel(probabilities)[0, 0].to(torch.uint8))
    return predictions


def mean_dice(predicted: torch.Tensor, label: torch.Tensor, classes: int) -> float:
    """Return the mean Dice over the foreground classes present in the label or the prediction."""
    scores = []
    for value in range(1, classes):
        first, second = predicted == value, label == value
        size = int(first.sum()) + int(second.sum())
        if size:
            scores.append(2 * int((first & second).sum()) / size)
    return sum(scores) / max(1, len(scores))


def validation_dice(learner: Learner, predicted: Sequence[torch.Tensor]) -> float:
    """Return the mean Dice over validation cases and classes."""
    labels = [case.foreground_region().label for case in learner.cases[learner.training_count :]]
    scores = [mean_dice(each, label, learner.classes) for each, label in zip(predicted, labels)]
    return sum(scores) / len(scores)
