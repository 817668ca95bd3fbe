"""Locating an organ at a coarse spacing and segmenting it at a fine one."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from grids import affines, make_affine, orientations, world_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import PRESET, save_threshold_model

from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.datasets.image_io import Volume, read_label, write_image
from GenSegLib.events import EventLog
from GenSegLib.prediction.coarse_to_fine import (
    crop,
    organ_box,
    remove_padding,
    restore_padding,
)
from GenSegLib.prediction.memory_budget import MemoryBudget
from GenSegLib.prediction.predict import Predictor, predict_files
from GenSegLib.presets import Intensity, Preset

FINE = replace(
    PRESET,
    labels={7: "Bright"},
    colors={},
    terminology={},
    modality="CT",
    intensity=Intensity("window", -200, 200),
    spacing=(1.0, 1.0, 1.0),
    patch_size=(32, 32, 32),
)
COARSE_TO_FINE = replace(FINE, coarse_spacing=(4.0, 4.0, 4.0), coarse_margin_mm=10)


def scan(*centers: tuple[int, int, int], radius: float = 9) -> Volume:
    """A noisy volume of 80 x 70 x 120 mm with a bright ball around each center."""
    affine = make_affine("LPS", (1.0, 1.0, 1.5))
    shape = (80, 70, 80)
    places = np.indices(shape) * np.array((1, 1, 1.5)).reshape(3, 1, 1, 1)
    values = np.random.default_rng(0).normal(-100, 5, shape)
    for center in centers:
        away = np.linalg.norm(places - np.reshape(center, (3, 1, 1, 1)), axis=0)
        values[away < radius] = 150
    return Volume(np.rint(values).astype(np.int16)[np.newaxis], affine)


def predicted(folder: Path, preset: Preset, image: Volume) -> tuple[np.ndarray, tuple[str, ...]]:
    save_threshold_model(folder, preset)
    prediction = Predictor(folder, "cpu").predict(image)
    return prediction.label.array[0], prediction.warnings


def is_bright(image: Volume) -> np.ndarray:
    return image.array[0] > 50


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_the_organ_is_located_coarsely_and_segmented_finely(tmp_path: Path) -> None:
    image = scan((50, 30, 90))
    label, warnings = predicted(tmp_path / "model", COARSE_TO_FINE, image)
    assert dice(label == 7, is_bright(image)) > 0.95
    assert warnings == ()


def test_only_the_box_around_the_organ_is_segmented_finely(tmp_path: Path) -> None:
    """A speck that is lost at the coarse spacing is outside the box and not segmented."""
    image = scan((50, 30, 90))
    image.array[0, 5:7, 5:7, 5:6] = 150
    whole, _ = predicted(tmp_path / "fine", FINE, image)
    found, _ = predicted(tmp_path / "both", COARSE_TO_FINE, image)
    assert whole[5, 5, 5] == 7
    assert not found[:20, :20, :20].any()
    box = np.s_[32:68, 12:48, 44:76]
    assert dice(whole[box] == 7, found[box] == 7) > 0.97


def test_a_scan_without_the_organ_gives_an_empty_segmentation_and_a_warning(
    tmp_path: Path,
) -> None:
    label, warnings = predicted(tmp_path / "model", COARSE_TO_FINE, scan())
    assert not label.any()
    assert warnings[-1] == "the segmentation is empty: the model found no Bright"


@pytest.mark.parametrize("full_image_fallback", [False, True])
def test_the_preset_may_select_the_full_image_if_the_coarse_pass_finds_nothing(
    tmp_path: Path, full_image_fallback: bool
) -> None:
    """A structure of two voxels is lost at 4 mm."""
    image = scan()
    image.array[0, 40:43, 40:43, 40:42] = 150
    preset = replace(COARSE_TO_FINE, full_image_fallback=full_image_fallback)
    label, warnings = predicted(tmp_path / "model", preset, image)
    assert label.any() == full_image_fallback
    assert any("the segmentation is empty" in text for text in warnings) != full_image_fallback


def test_memory_is_checked_before_each_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    purposes: list[str] = []
    monkeypatch.setattr(
        MemoryBudget, "require", lambda self, needed, purpose: purposes.append(purpose)
    )
    predicted(tmp_path / "model", COARSE_TO_FINE, scan((50, 30, 90)))
    first, second = purposes
    assert first == "predicting the segmentation of an image of 80 x 70 x 80 voxels"
    assert re.fullmatch(r"the fine pass over \d+ x \d+ x \d+ voxels of the image", second)


def test_lobes_at_the_same_image_face_are_both_segmented(tmp_path: Path) -> None:
    whole = replace(COARSE_TO_FINE, largest_component=True)
    image = scan((20, 35, 116), (60, 35, 112))
    label, _ = predicted(tmp_path, whole, image)
    assert dice(label == 7, is_bright(image)) > 0.99


def test_padding_is_removed_from_the_coarse_label() -> None:
    image = Volume(np.zeros((1, 10, 12, 16), np.int16), np.eye(4))
    prepared = Preprocessor(FINE).apply(image)
    everywhere = np.ones(prepared.image.shape[1:], np.int16)
    assert everywhere.size > image.array.size
    inside = restore_padding(prepared, remove_padding(prepared, everywhere))
    assert inside.sum() == image.array.size
    assert organ_box(prepared, inside, image, 0) == (slice(0, 10), slice(0, 12), slice(0, 16))


@pytest.mark.parametrize("uncertainty", [False, True])
def test_progress_includes_all_passes(tmp_path: Path, uncertainty: bool) -> None:
    save_threshold_model(tmp_path / "model", COARSE_TO_FINE)
    for name in ("a", "b"):
        write_image(tmp_path / f"{name}.nii.gz", scan((50, 30, 90)))
    received: list[dict[str, Any]] = []
    images = [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"]
    written = predict_files(
        tmp_path / "model",
        images,
        tmp_path / "out",
        device="cpu",
        uncertainty=uncertainty,
        events=EventLog(None, [received.append]),
    )
    progress = [event for event in received if event["kind"] == "progress"]
    steps = [event["step"] for event in progress]
    assert steps == sorted(steps)
    assert progress[-1]["step"] == progress[-1]["total"]
    assert all(event["step"] <= event["total"] for event in progress)
    assert all(read_label(path).array.any() for path in written)


@given(
    affines,
    orientations,
    st.tuples(*[st.integers(6, 24)] * 3),
    st.floats(0, 30),
    st.integers(0, 999),
)
@settings(max_examples=50)
def test_the_organ_box_contains_the_label_and_the_margin(
    affine: np.ndarray,
    orientation: str,
    size: tuple[int, int, int],
    margin: float,
    seed: int,
) -> None:
    image = Volume(np.zeros((1, *size), np.int16), affine)
    preset = replace(FINE, spacing=(4.0, 4.0, 4.0), orientation=orientation)
    prepared = Preprocessor(preset).apply(image)
    inside = prepared.transform.forward(np.ones((1, *size), np.float32))[0] > 0.5
    places = np.argwhere(inside)
    found = np.zeros(inside.shape, np.int16)
    found[tuple(places[np.random.default_rng(seed).integers(len(places))])] = 1
    box = organ_box(prepared, found, image, margin)
    assert box is not None
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    center = prepared.affine @ [*np.argwhere(found)[0], 1]
    away = np.abs(directions.T @ (world_of(affine, size).reshape(3, -1) - center[:3, None]))
    near = (away <= 1.9 + margin).all(axis=0).reshape(size)
    held = np.zeros(size, bool)
    held[box] = True
    assert (held | ~near).all()
    part = crop(image, box)
    corner = affine @ [*(edge.start for edge in box), 1]
    np.testing.assert_allclose(part.affine[:, 3], corner)
    assert part.array.base is not None
