"""Summary of a model, and warnings for unsuitable volumes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from GenSegSlicerLib.ModelSelector import fitWarnings, modelCard
from mrml_nodes import add_transform, add_volume, grid_matrix, metadata

from GenSegLib.models.training_record import TrainingRecord
from GenSegLib.presets import load_preset


def test_card_shows_classes_training_and_validation() -> None:
    card = modelCard(metadata(spacing=(1.0, 1.0, 1.0)))
    for text in (
        *(
            "Hippocampus, T1 MRI",
            "hippocampus",
            "MR",
            "Anterior",
            "Posterior",
            "<td>12</td>",
            "#e67846",
        ),
        *("0.876", "1 × 1 × 1 mm", "unet", "genseg 0.1.0"),
    ):
        assert text in card


def test_the_spacing_of_photos_is_in_pixels() -> None:
    shown = metadata()
    photos = replace(
        shown.preset, spatial_dims=2, patch_size=(32, 32), spacing=(1.5, 1.5), unit="px"
    )
    assert "1.5 × 1.5 px" in modelCard(replace(shown, preset=photos, spacing=None))
    scans = replace(photos, unit="mm", modality="")
    assert "1.5 × 1.5 mm" in modelCard(replace(shown, preset=scans, spacing=None))


def test_card_shows_missing_validation() -> None:
    assert "not measured" in modelCard(metadata(validation={}))


def test_card_says_that_a_training_was_cut_short() -> None:
    card = modelCard(metadata(training=TrainingRecord(steps=55, planned_steps=1800)))
    assert "The training was cut short: it had time for 55 of 1800 steps." in card
    assert "Note" not in modelCard(metadata())


def test_card_says_for_which_scanners_a_model_was_trained() -> None:
    record = TrainingRecord(settings={"target_scanner": 0.5})
    assert "images of similar scanners or cameras, too" in modelCard(metadata(training=record))
    assert "Trained for" not in modelCard(metadata())


def test_card_shows_volume_ranges() -> None:
    card = modelCard(metadata(volumes={1: (1.054, 2.31), 2: (0.9, 2.0)}))
    assert "Anterior 1.05 ml to 2.31 ml, Posterior 0.9 ml to 2 ml" in card
    assert "Volumes" not in modelCard(metadata())
    absent = modelCard(metadata(volumes={1: (0.0, 0.0), 2: (0.9, 2.0)}))
    assert "Posterior 0.9 ml to 2 ml" in absent
    assert "0 ml to 0 ml" not in absent


def test_card_says_that_the_dice_dates_from_before_the_final_phase() -> None:
    card = modelCard(metadata(training=TrainingRecord(steps=9, steps_after_validation=4)))
    assert "The validation Dice dates from before the final phase" in card


def test_card_omits_unknown_properties() -> None:
    assert "Anatomy" not in modelCard(metadata(load_preset("generic-mri"), labels={1: "x"}))


def test_text_of_a_model_is_escaped() -> None:
    preset = replace(load_preset("hippocampus-mri"), title="<script>")
    card = modelCard(metadata(preset, labels={1: "<b>bold</b>"}))
    assert "<script>" not in card
    assert "&lt;b&gt;bold" in card


def volume(low: int, high: int, step: float = 1.0) -> Any:
    voxels = np.linspace(low, high, 48**3).reshape(48, 48, 48).astype(np.int16)
    return add_volume(voxels, grid_matrix((step, step, step), angle=0.3))


def test_suitable_volume_has_no_warnings(scene: Any) -> None:
    assert fitWarnings(volume(0, 1000), metadata()) == []


def test_modality_mismatch_is_reported(scene: Any) -> None:
    (warning,) = fitWarnings(volume(-1000, 1000), metadata())
    assert "the model expects MR" in warning


def test_spacing_is_compared_in_world_coordinates(scene: Any) -> None:
    node = volume(0, 1000, step=9.0)
    assert "far from the model's" in fitWarnings(node, metadata())[0]
    add_transform(np.diag([1 / 9, 1 / 9, 1 / 9, 1]), node)
    assert fitWarnings(node, metadata()) == []
