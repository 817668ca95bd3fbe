"""Training settings."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from GenSegLib.config import TrainConfig, parse_duration, parse_setting
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset


@given(
    seed=st.integers(0, 2**32 - 1), lr=st.floats(1e-9, 1e3), budget=st.none() | st.floats(1, 1e9)
)
def test_settings_are_restored_from_json(seed: int, lr: float, budget: float | None) -> None:
    config = TrainConfig(seed=seed, segmenter_lr=lr, time_budget_s=budget, device="cuda:1")
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_missing_settings_have_defaults_and_unknown_ones_are_rejected() -> None:
    assert TrainConfig.from_json({"seed": 3}) == TrainConfig(seed=3)
    with pytest.raises(GenSegError, match="no setting 'epochs'; the settings are segmenter, "):
        TrainConfig.from_json({"epochs": 100})


def test_settings_of_earlier_versions_are_read() -> None:
    earlier = {
        "difference": "voxels",
        "adversary": "cross-entropy",
        "adversary_weight": 0.01,
        "look_back": False,
        "masks": "deformed",
        "augmentation": 0.5,
        "segmenter_rate": 1e-4,
        "validation_share": 0.2,
        "upper_every": 2,
        "unlabelled_batch_size": 3,
        "cuts": True,
        "deterministic": True,
        "patience": 3,
        "reduce_cells": False,
    }
    assert TrainConfig.from_json(earlier) == TrainConfig(
        reconstruction_loss="l1",
        adversarial_loss="cross-entropy",
        adversarial_weight=0.01,
        mask_transform="deformable",
        augmentation_strength=0.5,
        segmenter_lr=1e-4,
        validation_fraction=0.2,
        upper_interval=2,
    )
    with pytest.raises(GenSegError, match="'vae' was removed, train again with another"):
        TrainConfig.from_json({"generator": "vae"})
    with pytest.raises(GenSegError, match="a mean teacher was removed"):
        TrainConfig.from_json({"consistency": "mean-teacher"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("segmenter", "resnet", "one of unet, dynunet"),
        ("seed", 2**32, "from 0 to 4294967295"),
        ("seed", 1.5, "an integer; it is 1.5"),
        ("batch_size", True, "an integer; it is True"),
        ("batch_size", 0, "1 or more"),
        ("device", "gpu", "auto, cpu, mps, cuda or cuda:NUMBER"),
        ("segmenter_lr", 0.0, "above 0"),
        ("segmenter_lr", float("nan"), "a number; it is nan"),
        ("blended_fraction", 1.5, "from 0 to 1"),
        ("validation_fraction", 1.0, "at least 0 and below 1"),
        ("direct_path", 1, "true or false; it is 1"),
        ("time_budget_s", 0.0, "above 0"),
        ("frozen", "weights", "a comma-separated list of architecture, weight"),
    ],
)
def test_an_error_names_the_setting(name: str, value: Any, expected: str) -> None:
    with pytest.raises(GenSegError, match=f"^{name} must be {expected}"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize("field", dataclasses.fields(TrainConfig), ids=lambda field: field.name)
def test_every_setting_is_validated(field: dataclasses.Field[Any]) -> None:
    with pytest.raises(GenSegError, match=f"^{field.name} must be "):
        TrainConfig(**{field.name: [] if field.type == "bool" else -1})


def test_an_effort_takes_its_steps_from_the_preset() -> None:
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset, "quick", seed=7, warmup_steps=1)
    quick = preset.steps["quick"]
    assert (config.seed, config.warmup_steps) == (7, 1)
    assert (config.joint_steps, config.final_steps) == (quick.joint_steps, quick.final_steps)
    assert config.segmenter == preset.segmenter
    with pytest.raises(GenSegError, match="effort must be one of quick, standard, thorough"):
        TrainConfig.for_preset(preset, "heroic")


@pytest.mark.parametrize(
    ("labeled", "changes", "batches"),
    [
        (5, {}, (1, 1)),
        (6, {}, (2, 2)),
        (None, {}, (2, 2)),
        (5, {"generator": "none"}, (2, 2)),
        (5, {"batch_size": 3}, (3, 1)),
    ],
)
def test_few_labeled_cases_reduce_the_batch_size(
    labeled: int | None, changes: dict[str, Any], batches: tuple[int, int]
) -> None:
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset, labeled=labeled, **changes)
    assert (config.batch_size, config.generated_batch_size) == batches


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("batch_size=4", ("batch_size", 4)),
        ("segmenter_lr = 1e-4", ("segmenter_lr", 1e-4)),
        ("direct_path=False", ("direct_path", False)),
        ("time_budget_s=none", ("time_budget_s", None)),
        ("frozen=weight,residual", ("frozen", "weight,residual")),
    ],
)
def test_a_setting_is_parsed_by_its_type(text: str, setting: tuple[str, Any]) -> None:
    assert parse_setting(text) == setting


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("batch_size", "settings are written NAME=VALUE"),
        ("epochs=3", "no setting 'epochs'"),
        ("batch_size=many", "batch_size must be an integer; it is 'many'"),
        ("direct_path=2", "direct_path must be true or false; it is '2'"),
    ],
)
def test_a_setting_that_cannot_be_parsed_says_why(text: str, error: str) -> None:
    with pytest.raises(GenSegError, match=error):
        parse_setting(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("20m", 1200), ("20 min", 1200), ("1.5h", 5400), ("2 h", 7200)],
)
def test_a_duration_is_parsed_into_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "0", "20 mines", "1h30m"])
def test_other_durations_are_rejected(text: str) -> None:
    with pytest.raises(GenSegError, match="durations are written 90s, 20m or"):
        parse_duration(text)
