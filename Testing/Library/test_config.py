"""The settings of a training."""

from __future__ import annotations

import json
from typing import Any

import pytest

from GenSegLib.config import TrainConfig, parse_duration, parse_setting
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset


def test_settings_come_back_unchanged_through_json() -> None:
    config = TrainConfig(seed=3, time_budget_s=60.0, reduce_cells=False, device="cuda:1")
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_what_a_file_leaves_out_has_its_default() -> None:
    assert TrainConfig.from_json({"seed": 3}) == TrainConfig(seed=3)


def test_an_unknown_setting_is_answered_with_the_known_ones() -> None:
    with pytest.raises(GenSegError, match="no setting 'epochs'; the settings are segmenter, "):
        TrainConfig.from_json({"epochs": 100})


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("segmenter", "resnet", "one of unet, dynunet"),
        ("generator", "", "one of searchable, mask-only, spade"),
        ("hypergradient", "exact", "one of finite-difference"),
        ("precision", "fp16", "one of auto"),
        ("seed", -1, "0 or more"),
        ("seed", 2**32, "below 4294967296"),
        ("seed", 1.5, "a whole number; it is 1.5"),
        ("device", "gpu", "auto, cpu, mps, cuda or cuda:NUMBER"),
        ("batch_size", 0, "1 or more"),
        ("batch_size", True, "a whole number; it is True"),
        ("final_steps", 0, "1 or more"),
        ("segmenter_rate", 0.0, "above 0"),
        ("segmenter_rate", float("nan"), "a number; it is nan"),
        ("segmenter_rate", "fast", "a number; it is 'fast'"),
        ("validation_share", 1.0, "at least 0 and below 1"),
        ("ema_decay", 1.0, "at least 0 and below 1"),
        ("reduce_cells", 1, "true or false; it is 1"),
        ("time_budget_s", 0.0, "above 0"),
        ("masks", "elastic", "one of deformed, affine"),
        ("frozen", "weights", "some of architecture, weight, residual, appearance"),
    ],
)
def test_a_value_out_of_range_names_its_setting(name: str, value: Any, wanted: str) -> None:
    with pytest.raises(GenSegError, match=f"^{name} must be {wanted}"):
        TrainConfig(**{name: value})


def test_an_effort_takes_its_steps_from_the_preset_and_keeps_what_is_asked() -> None:
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset, "quick", seed=7, warmup_steps=1)
    quick = preset.steps["quick"]
    assert (config.seed, config.warmup_steps) == (7, 1)
    assert (config.joint_steps, config.final_steps) == (quick.joint_steps, quick.final_steps)
    assert config.segmenter == preset.segmenter


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
def test_a_step_sees_fewer_samples_of_few_labeled_cases(
    labeled: int | None, changes: dict[str, Any], batches: tuple[int, int]
) -> None:
    preset = load_preset("hippocampus-mri")
    config = TrainConfig.for_preset(preset, labeled=labeled, **changes)
    assert (config.batch_size, config.generated_batch_size) == batches


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(GenSegError, match="effort must be one of quick, standard, thorough"):
        TrainConfig.for_preset(load_preset("liver-ct"), "heroic")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("batch_size=4", ("batch_size", 4)),
        ("segmenter_rate = 1e-4", ("segmenter_rate", 1e-4)),
        ("reduce_cells=False", ("reduce_cells", False)),
        ("time_budget_s=none", ("time_budget_s", None)),
        ("time_budget_s=90", ("time_budget_s", 90.0)),
        ("segmenter=unetr", ("segmenter", "unetr")),
        ("frozen=weight,residual", ("frozen", "weight,residual")),
    ],
)
def test_a_typed_setting_has_the_kind_of_its_field(text: str, setting: tuple[str, Any]) -> None:
    assert parse_setting(text) == setting


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("batch_size", "is written name=value"),
        ("epochs=3", "no setting 'epochs'"),
        ("batch_size=many", "batch_size must be a whole number; it is 'many'"),
        ("reduce_cells=2", "reduce_cells must be true or false; it is '2'"),
    ],
)
def test_a_typed_setting_that_cannot_be_read_says_why(text: str, fault: str) -> None:
    with pytest.raises(GenSegError, match=fault):
        parse_setting(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("20m", 1200), ("1.5h", 5400), ("2 h", 7200)]
)
def test_a_duration_is_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "0", "20min", "1h30m"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(GenSegError, match="a duration is written 90s, 20m or"):
        parse_duration(text)
