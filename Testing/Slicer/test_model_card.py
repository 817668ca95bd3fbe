"""A model says what it is, and whether it fits a volume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from GenSegSlicerLib.ModelSelector import fitWarnings, modelCard
from mrml_nodes import add_transform, add_volume, grid_matrix, metadata

from GenSegLib.presets import load_preset


def test_card_says_what_the_model_is() -> None:
    card = modelCard(metadata(spacing=(1.0, 1.0, 1.0)))

    for text in (
        *("Hippocampus, T1 MRI", "hippocampus", "MR", "Anterior", "Posterior", "12 cases"),
        *("0.876", "1 × 1 × 1 mm", "unet", "genseg 0.1.0"),
    ):
        assert text in card


def test_card_shows_the_colors_of_the_segments() -> None:
    assert "#e67846" in modelCard(metadata())


def test_card_says_where_there_was_no_validation() -> None:
    assert "not measured" in modelCard(metadata(validation={}))


def test_card_says_how_large_the_labeled_structures_were() -> None:
    card = modelCard(metadata(volumes={1: (1.054, 2.31), 2: (0.9, 2.0)}))
    assert "Anterior 1.05 ml to 2.31 ml, Posterior 0.9 ml to 2 ml" in card
    assert "Volumes" not in modelCard(metadata())


def test_card_leaves_out_what_is_not_known() -> None:
    assert "Anatomy" not in modelCard(metadata(load_preset("generic-mri"), labels={1: "x"}))


def test_text_of_a_model_is_no_markup() -> None:
    preset = replace(load_preset("hippocampus-mri"), title="<script>")

    card = modelCard(metadata(preset, labels={1: "<b>bold</b>"}))

    assert "<script>" not in card
    assert "&lt;b&gt;bold" in card


def volume(low: int, high: int, step: float = 1.0) -> Any:
    voxels = np.linspace(low, high, 48**3).reshape(48, 48, 48).astype(np.int16)
    return add_volume(voxels, grid_matrix((step, step, step), angle=0.3))


def test_fitting_volume_has_no_misfit(scene: Any) -> None:
    assert fitWarnings(volume(0, 1000), metadata()) == []


def test_ct_does_not_fit_a_model_for_mr(scene: Any) -> None:
    (doubt,) = fitWarnings(volume(-1000, 1000), metadata())

    assert "the model is for MR" in doubt


def test_spacing_is_that_of_the_world(scene: Any) -> None:
    node = volume(0, 1000, step=9.0)
    assert "far from the model's" in fitWarnings(node, metadata())[0]

    add_transform(np.diag([1 / 9, 1 / 9, 1 / 9, 1]), node)

    assert fitWarnings(node, metadata()) == []


def test_volume_that_shows_too_little_does_not_fit(scene: Any) -> None:
    voxels = np.arange(512, dtype=np.int16).reshape(8, 8, 8)
    (doubt,) = fitWarnings(add_volume(voxels, grid_matrix((1, 1, 1))), metadata())

    assert "8 mm" in doubt
