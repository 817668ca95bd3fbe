"""Uncertainty of a prediction: the entropy per voxel and the expected Dice per case.

Both are computed from the mean probabilities over small affine transforms of the image, since a
single forward pass is overconfident. Averaging over several models and over flips improves both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import write_csv

FILE_SUFFIX = "_uncertainty"
_MIN_PROBABILITY = 0.01


def normalized_entropy(probabilities: NDArray[Any]) -> NDArray[np.float32]:
    """Return the entropy of class probabilities, from 0 (certain) to 1 (all equally likely).

    Args:
        probabilities: (class, x, y, z), two classes or more, which sum to 1.

    Returns:
        (x, y, z), Shannon entropy divided by the logarithm of the number of classes.
    """
    entropy = np.zeros(probabilities.shape[1:], np.float32)
    for probability in probabilities:
        entropy -= probability * np.log(np.maximum(probability, np.finfo(np.float32).tiny))
    return np.clip(entropy / math.log(len(probabilities)), 0, 1).astype(np.float32)


class ExpectedDice:
    """Estimates the Dice of a segmentation from the model's probabilities.

    Twice the sum of probabilities inside the segmented structure, divided by its voxels plus the
    sum of all probabilities (Li et al., MICCAI 2022, "Estimating Model Performance under Domain
    Shifts with Class-Specific Confidence Scores"). Probabilities below 1 % count as 0, because
    they would add up in a large volume.

    Args:
        values: label value of each class, background first.
    """

    def __init__(self, values: Sequence[int]) -> None:
        self._values = tuple(values)
        self._inside, self._segmented, self._total = np.zeros((3, len(self._values)))

    def add(self, probabilities: NDArray[Any], label: NDArray[Any]) -> None:
        """Add a part of the image: (class, ...) probabilities and label values (...)."""
        for index, value in enumerate(self._values[1:], 1):
            probability = probabilities[index]
            probability = np.where(probability < _MIN_PROBABILITY, 0, probability)
            inside = label == value
            self._inside[index] += probability[inside].sum(dtype=np.float64)
            self._segmented[index] += np.count_nonzero(inside)
            self._total[index] += probability.sum(dtype=np.float64)

    def of_labels(self) -> dict[int, float]:
        """Return the expected Dice of each label value; 0 for labels without voxels."""
        sums = zip(self._values[1:], self._inside[1:], self._segmented[1:], self._total[1:])
        return {
            value: float(2 * inside / (segmented + total)) if segmented else 0.0
            for value, inside, segmented, total in sums
        }


def mean_expected_dice(expected: Mapping[int, float]) -> float:
    """Return the mean over a case's labels; 0 without labels."""
    return sum(expected.values()) / max(1, len(expected))


def write_expected_dice(
    path: Path, cases: Mapping[str, Mapping[int, float]], names: Mapping[int, str]
) -> None:
    """Write a table of cases, lowest expected Dice first.

    Args:
        path: of the CSV file.
        cases: expected Dice of each label value, by case name.
        names: of the label values.
    """
    rows = [["case", "expected_dice", *(f"expected_dice {name}" for name in names.values())]]
    for case in _ranked(cases):
        numbers = [mean_expected_dice(cases[case]), *(cases[case][value] for value in names)]
        rows.append([case, *(f"{number:.4f}" for number in numbers)])
    write_csv(path, rows)


def describe_most_uncertain(cases: Mapping[str, Mapping[int, float]], file: str) -> str:
    """Return one line with the lowest expected Dice and its case."""
    case = _ranked(cases)[0]
    dice = f"{mean_expected_dice(cases[case]):.2f}"
    if len(cases) == 1:
        return f"expected Dice, estimated from the model's probabilities: {dice} ({file})"
    return f"most uncertain case: {case}, expected Dice {dice}; {file} lists all, lowest first"


def _ranked(cases: Mapping[str, Mapping[int, float]]) -> list[str]:
    return sorted(cases, key=lambda case: mean_expected_dice(cases[case]))
