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
from GenSegLib.events import EventLog
from GenSegLib.images.image_io import Volume, write_image
from GenSegLib.models.weights import save_model
from GenSegLib.prediction.ensemble import load_ensemble
from GenSegLib.prediction.predict import Predictor, predict_files
from GenSegLib.prediction.uncertainty import ExpectedDice, mean_expected_dice, write_expected_dice


def shares_of(inside: float, outside: float, shape: tuple[int, ...] = (10, 10, 10)) -> np.ndarray:
    """Two classes: a cube of 4^3 voxels of probability `inside`, and `outside` elsewhere."""
    found = np.full(shape, outside, np.float32)
    found[3:7, 3:7, 3:7] = inside
    return np.stack([1 - found, found])


def expected(shares: np.ndarray) -> float:
    dice = ExpectedDice([0, 5])
    dice.add(shares, np.where(shares[1] > 0.5, 5, 0))
    return dice.of_labels()[5]


def test_certain_probabilities_expect_a_dice_of_one() -> None:
    assert expected(shares_of(1, 0)) == pytest.approx(1)


def test_the_expected_dice_is_that_of_the_probabilities() -> None:
    # 64 voxels of 0.8 and 936 of 0.2: twice 51.2 of 64 + 51.2 + 187.2
    assert expected(shares_of(0.8, 0.2)) == pytest.approx(2 * 51.2 / (64 + 51.2 + 187.2), rel=1e-5)


def test_negligible_probabilities_of_a_large_volume_do_not_add_up() -> None:
    assert expected(shares_of(1, 0.005)) == pytest.approx(1)


def test_where_nothing_was_found_no_dice_is_expected() -> None:
    assert expected(shares_of(0.4, 0)) == 0


def test_parts_of_an_image_add_up_to_the_whole() -> None:
    shares = np.random.default_rng(0).dirichlet([1, 1], (6, 7, 8)).astype(np.float32)
    shares = np.moveaxis(shares, -1, 0)
    label = np.where(shares[1] > 0.5, 5, 0)
    parts = ExpectedDice([0, 5])
    for start in range(6):
        parts.add(shares[:, start : start + 1], label[start : start + 1])
    assert parts.of_labels()[5] == pytest.approx(expected(shares))


def test_the_table_ranks_the_least_sure_case_first(tmp_path: Path) -> None:
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


def drawn_image() -> Volume:
    return Volume(np.random.default_rng(0).normal(0, 1, (1, 20, 20, 24)).astype("f4"), np.eye(4))


def test_an_ensemble_gives_the_mean_probabilities_of_its_models(tmp_path: Path) -> None:
    folders = [save_seed(tmp_path / str(seed), seed) for seed in range(3)]
    image = drawn_image()
    alone = [Predictor(folder, "cpu").predict(image, True).probabilities for folder in folders]
    together = Predictor(folders[0], "cpu", others=folders[1:]).predict(image, True).probabilities
    assert together is not None
    mean = np.mean([found.array for found in alone if found is not None], axis=0)
    np.testing.assert_allclose(together.array, mean, atol=1e-5)


def test_a_model_that_prepares_images_otherwise_is_no_part_of_an_ensemble(tmp_path: Path) -> None:
    one = save_seed(tmp_path / "one", 0)
    other = save_seed(tmp_path / "other", 0, spacing=(2.0, 2.0, 2.0))
    with pytest.raises(GenSegError, match=r"other was trained with another spacing than .*one"):
        load_ensemble([one, other], torch.device("cpu"))


def test_a_model_of_other_labels_is_no_part_of_an_ensemble(tmp_path: Path) -> None:
    one = save_seed(tmp_path / "one", 0)
    save_tiny_model(tmp_path / "other", PRESET, labels={1: "Anterior", 3: "Posterior"})
    with pytest.raises(GenSegError, match="other labels"):
        load_ensemble([one, tmp_path / "other"], torch.device("cpu"))


def test_of_several_images_those_to_be_looked_at_with_care_are_named(tmp_path: Path) -> None:
    model = save_seed(tmp_path / "model", 0)
    flat = replace(drawn_image(), array=np.ones((1, 20, 20, 24), "f4"))
    for name, image in (("a", drawn_image()), ("b", flat), ("c", flat)):
        write_image(tmp_path / f"{name}.nii.gz", image)
    images = [tmp_path / f"{name}.nii.gz" for name in "abc"]
    told: list[dict[str, Any]] = []
    events = EventLog(None, [told.append])
    predict_files(model, images, tmp_path / "out", device="cpu", events=events)
    texts = [event["text"] for event in told if event["kind"] == "log"]
    named = "look at 2 of 3 segmentations with care, for the reasons above: b, c"
    assert texts[-1] == named


def test_the_least_sure_image_is_named(tmp_path: Path) -> None:
    model = save_seed(tmp_path / "model", 0)
    for name in "ab":
        write_image(tmp_path / f"{name}.nii.gz", drawn_image())
    told: list[dict[str, Any]] = []
    predict_files(
        model,
        [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"],
        tmp_path / "out",
        device="cpu",
        uncertainty=True,
        events=EventLog(None, [told.append]),
    )
    texts = [event["text"] for event in told if event["kind"] == "log"]
    assert any(text.startswith("the model is least sure of a: it expects") for text in texts)
    assert (tmp_path / "out" / "uncertainty.csv").is_file()
