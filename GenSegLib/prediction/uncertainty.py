"""How sure a model is: of each voxel, and of a case as a whole.

Both are of the mean over copies of the image that are turned, stretched and moved by little: a
network is sure of more than it knows, but where copies disagree it cannot be. Averaging over
several models, too, and over mirrored copies where a model knows them, makes both more telling.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import write_text

NAME_ENDING = "_uncertainty"
_NEGLIGIBLE = 0.01


def normalized_entropy(probabilities: NDArray[Any]) -> NDArray[np.float32]:
    """Give the entropy of class probabilities, from 0 (sure) to 1 (all classes equally likely).

    Args:
        probabilities: (class, x, y, z), two classes or more, that sum to 1.

    Returns:
        (x, y, z), Shannon's entropy divided by the logarithm of the number of classes.
    """
    entropy = np.zeros(probabilities.shape[1:], np.float32)
    for share in probabilities:
        entropy -= share * np.log(np.maximum(share, np.finfo(np.float32).tiny))
    return np.clip(entropy / math.log(len(probabilities)), 0, 1).astype(np.float32)


class ExpectedDice:
    """The Dice that a segmentation would have if the model's probabilities were right.

    That is twice the probability within the segmented structure, divided by its voxels and the
    whole probability (Li et al., MICCAI 2022, "Estimating Model Performance under Domain Shifts
    with Class-Specific Confidence Scores"). Probabilities below 1 % count as 0: a large volume
    would add up many of them.

    Args:
        values: the label value of each class, background first.
    """

    def __init__(self, values: Sequence[int]) -> None:
        self._values = tuple(values)
        self._within, self._segmented, self._whole = np.zeros((3, len(self._values)))

    def add(self, probabilities: NDArray[Any], label: NDArray[Any]) -> None:
        """Count a part of the image: (class, ...) probabilities and the label values (...)."""
        for index, value in enumerate(self._values[1:], 1):
            share = probabilities[index]
            share = np.where(share < _NEGLIGIBLE, 0, share)
            inside = label == value
            self._within[index] += share[inside].sum(dtype=np.float64)
            self._segmented[index] += np.count_nonzero(inside)
            self._whole[index] += share.sum(dtype=np.float64)

    def of_labels(self) -> dict[int, float]:
        """Give the expected Dice of each label value; 0 where nothing was found."""
        sums = zip(self._values[1:], self._within[1:], self._segmented[1:], self._whole[1:])
        return {
            value: float(2 * within / (segmented + whole)) if segmented else 0.0
            for value, within, segmented, whole in sums
        }


def mean_expected_dice(expected: Mapping[int, float]) -> float:
    """Give one number for a case: the mean over its labels. The lowest ones rank first."""
    return sum(expected.values()) / max(1, len(expected))


def write_expected_dice(
    path: Path, cases: Mapping[str, Mapping[int, float]], names: Mapping[int, str]
) -> None:
    """Write a table of cases, the least sure one first.

    Args:
        path: of the CSV file.
        cases: expected Dice of each label value, by the case's name.
        names: of the label values.
    """
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    columns = (f"expected_dice {name}" for name in names.values())
    writer.writerow(["case", "expected_dice", *columns])
    for case in _least_sure_first(cases):
        numbers = [mean_expected_dice(cases[case]), *(cases[case][value] for value in names)]
        writer.writerow([case, *(f"{number:.4f}" for number in numbers)])
    write_text(path, table.getvalue())


def describe_least_sure(cases: Mapping[str, Mapping[int, float]], file: str) -> str:
    """Say in one line how sure the model is, and which of several cases to look at first."""
    case = _least_sure_first(cases)[0]
    dice = f"a Dice of {mean_expected_dice(cases[case]):.2f}"
    if len(cases) == 1:
        return f"by its own probabilities the model expects {dice} (in {file})"
    return f"the model is least sure of {case}: it expects {dice}; {file} ranks all, worst first"


def _least_sure_first(cases: Mapping[str, Mapping[int, float]]) -> list[str]:
    return sorted(cases, key=lambda case: mean_expected_dice(cases[case]))
