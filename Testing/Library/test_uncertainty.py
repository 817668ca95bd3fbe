"""Entropy, expected Dice, and ensembles."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import PRESET, save_tiny_model, tiny_metadata, tiny_state

from GenSegLib.errors import GenSegError
from GenSegLib.images.volume import Volume
from GenSegLib.models.weights import load_ensemble, save_model
from GenSegLib.prediction.predict import Predictor
from GenSegLib.prediction.uncertainty import (
    ExpectedDice,
    mean_expected_dice,
    normalized_entropy,
    write_expected_dice,
)


def cube_probabilities(inside: float, outside: float) -> np.ndarray:
    """Two classes: a cube of 4^3 of 10^3 voxels has probability `inside`."""
    found = np.full((10, 10, 10), outside, np.float32)
    found[3:7, 3:7, 3:7] = inside
    return np.stack([1 - found, found])


def random_probabilities(classes: int) -> np.ndarray:
    random = np.random.default_rng(0).dirichlet([1] * classes, (5, 6, 7)).astype(np.float32)
    return np.moveaxis(random, -1, 0)


def expected(probabilities: np.ndarray) -> float:
    dice = ExpectedDice([0, 5])
    dice.add(probabilities, np.where(probabilities[1] > 0.5, 5, 0))
    return dice.of_labels()[5]


def test_the_entropy_of_two_classes_is_in_bits() -> None:
    probabilities = random_probabilities(2)
    bits = -(probabilities * np.log2(probabilities)).sum(axis=0)
    np.testing.assert_allclose(normalized_entropy(probabilities), bits, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 5])
def test_the_entropy_is_one_for_equal_probabilities_and_zero_for_certainty(classes: int) -> None:
    probabilities = np.zeros((classes, 2, 1, 1), np.float32)
    probabilities[:, 0] = 1 / classes
    probabilities[1, 1] = 1
    np.testing.assert_allclose(normalized_entropy(probabilities).ravel(), [1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("inside", "outside", "dice"),
    [
        (1, 0, 1),
        (0.8, 0.2, 2 * 51.2 / (64 + 51.2 + 187.2)),  # 64 voxels of 0.8 and 936 of 0.2
        (1, 0.005, 1),  # probabilities below 1 % do not add up
        (0.4, 0, 0),  # nothing is segmented
    ],
)
def test_the_expected_dice_follows_from_the_probabilities(
    inside: float, outside: float, dice: float
) -> None:
    assert expected(cube_probabilities(inside, outside)) == pytest.approx(dice, rel=1e-5)


def test_the_expected_dice_can_be_summed_over_parts_of_an_image() -> None:
    probabilities = random_probabilities(2)
    label = np.where(probabilities[1] > 0.5, 5, 0)
    parts = ExpectedDice([0, 5])
    for start in range(5):
        parts.add(probabilities[:, start : start + 1], label[start : start + 1])
    assert parts.of_labels()[5] == pytest.approx(expected(probabilities))


def test_the_table_lists_the_lowest_expected_dice_first(tmp_path: Path) -> None:
    cases = {"good": {1: 0.9, 2: 0.8}, "bad": {1: 0.9, 2: 0.1}}
    write_expected_dice(tmp_path / "table.csv", cases, {1: "Front", 2: "Back"})
    rows = list(csv.reader((tmp_path / "table.csv").open()))
    assert rows[0] == ["case", "expected_dice", "expected_dice Front", "expected_dice Back"]
    assert [row[0] for row in rows[1:]] == ["bad", "good"]
    assert rows[1][1:] == ["0.5000", "0.9000", "0.1000"]
    assert mean_expected_dice({}) == 0


def save_seed(folder: Path, seed: int, **changes: Any) -> Path:
    metadata = tiny_metadata(replace(PRESET, **changes))
    save_model(folder, metadata, tiny_state(metadata.network_args, seed))
    return folder


def test_an_ensemble_averages_the_probabilities_of_its_models(tmp_path: Path) -> None:
    folders = [save_seed(tmp_path / str(seed), seed) for seed in range(3)]
    noise = np.random.default_rng(0).normal(0, 1, (1, 20, 20, 24)).astype("f4")
    image = Volume(noise, np.eye(4))
    alone = [Predictor(folder, "cpu").predict(image, True).probabilities for folder in folders]
    together = Predictor(folders[0], "cpu", others=folders[1:]).predict(image, True).probabilities
    assert together is not None
    mean = np.mean([found.array for found in alone if found is not None], axis=0)
    np.testing.assert_allclose(together.array, mean, atol=1e-5)


def test_models_with_different_preprocessing_or_labels_cannot_form_an_ensemble(
    tmp_path: Path,
) -> None:
    one = save_seed(tmp_path / "one", 0)
    coarser = save_seed(tmp_path / "coarser", 0, spacing=(2.0, 2.0, 2.0))
    with pytest.raises(GenSegError, match=r"coarser and .*one were trained with a different spac"):
        load_ensemble([one, coarser], torch.device("cpu"))
    save_tiny_model(tmp_path / "other", PRESET, labels={1: "Anterior", 3: "Posterior"})
    with pytest.raises(GenSegError, match="different labels"):
        load_ensemble([one, tmp_path / "other"], torch.device("cpu"))
