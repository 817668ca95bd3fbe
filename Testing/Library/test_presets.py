"""Presets and recipes: those that come with GenSeg, and those that users write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from GenSegLib.config import SEGMENTERS, TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import EFFORTS, Preset, list_presets, load_preset
from GenSegLib.recipes import list_recipes, load_recipe

STEPS = {"warmup_steps": 1, "joint_steps": 1, "final_steps": 1}


def hippocampus(**changes: Any) -> dict[str, Any]:
    return load_preset("hippocampus-mri").to_json() | changes


@pytest.mark.parametrize("name", list_presets())
def test_a_preset_can_be_read_from_a_file_and_trained(name: str, tmp_path: Path) -> None:
    preset = load_preset(name)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(preset.to_json()))
    assert preset.name == name
    assert load_preset(path) == preset
    assert preset.segmenter in SEGMENTERS
    assert all(TrainConfig.for_preset(preset, effort).final_steps > 0 for effort in EFFORTS)


@pytest.mark.parametrize("name", list_presets())
def test_every_label_of_a_preset_has_a_color_and_a_terminology_entry(name: str) -> None:
    preset = load_preset(name)
    assert preset.colors.keys() == preset.labels.keys() == preset.terminology.keys()
    for entry in preset.terminology.values():
        assert len(entry.split("~")) == 7, "3D Slicer's terminology entries have seven parts"


def test_presets_of_older_versions_are_read() -> None:
    values = hippocampus(foreground_fraction=0.4, coarse_fraction=0.2, full_image_fallback=True)
    old = {
        "foreground_fraction": "foreground_share",
        "coarse_fraction": "coarse_share",
        "full_image_fallback": "search_finely",
    }
    renamed = {old.get(key, key): value for key, value in values.items()}
    assert Preset.from_json(renamed) == Preset.from_json(values)
    for name in ("coarse_spacing", "coarse_margin_mm", "optional_labels"):
        del values[name]
    assert Preset.from_json({**values, "coordinates": True}).coarse_spacing is None


@pytest.mark.parametrize("name", ["liver-ct", "liver-mr"])
def test_optional_labels_are_those_of_the_cases(name: str) -> None:
    preset = load_preset(name)
    assert preset.labels_of({1}) == {1: "Liver"}
    assert preset.labels_of({1, 2}) == {1: "Liver", 2: "Lesion"}
    assert preset.with_single_component(preset.labels) == (1,)


def test_an_unknown_preset_is_refused_with_the_known_names() -> None:
    with pytest.raises(GenSegError, match=r"unknown preset 'kidney'; choose .*generic-2d, .*liver"):
        load_preset("kidney")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(GenSegError, match=r"mine\.json does not exist"):
        load_preset("mine.json")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"patch": [8, 8, 8]}, "unknown setting 'patch'"),
        ({"patch_size": [40, 56]}, "patch_size must be 3 multiples of 8"),
        ({"patch_size": [40, 56, 41]}, "patch_size must be 3 multiples of 8"),
        ({"patch_size": [True, 56, 40]}, "patch_size must be 3 multiples of 8"),
        ({"orientation": "RAR"}, "orientation must be axis codes"),
        ({"multiple": 100000}, "multiple must be from 1 to 128"),
        ({"multiple": 8.0}, "multiple must be an integer"),
        ({"crop_foreground": "no"}, "crop_foreground must be true or false"),
        ({"title": None}, "title must be a string"),
        ({"name": ""}, "name must be a string that is not empty"),
        ({"foreground_fraction": "half"}, "foreground_fraction must be a number"),
        ({"coarse_fraction": 1.5}, "coarse_fraction must be from 0 to 1"),
        ({"coarse_margin_mm": -1}, "coarse_margin_mm must be 0 or more"),
        ({"colors": {"1": [300, 0, 0]}}, "colors must be RGB from 0 to 255"),
        ({"spacing": [1, 1, 0]}, "spacing must be 3 lengths from 0.001 to 50 mm"),
        ({"coarse_spacing": [4, 4]}, "coarse_spacing must be 3 lengths from 0.001 to 50 mm"),
        ({"modality": "PET"}, "modality must be 'MR', 'CT' or empty"),
        (
            {"intensity": {"kind": "window", "low": 5, "high": 5}},
            "intensity.low must be below high",
        ),
        ({"intensity": {"kind": "percentile"}}, "intensity.kind must be one of zscore, window"),
        ({"labels": {"0": "Background"}}, "labels must be values of 1 or more"),
        ({"labels": ["Liver"]}, "cannot be read"),
        ({"optional_labels": [1, 2]}, "optional_labels must be some of the labels, not all"),
        ({"mirror_axes": [3]}, r"mirror_axes must be some of \[0, 1, 2\]"),
        ({"mirror_axes": [0, 0]}, "mirror_axes must be some of"),
        ({"steps": {"quick": {**STEPS, "joint_steps": -1}}}, "steps.quick.joint_steps must be 0"),
        ({"steps": {}}, "steps must be entries for quick, standard, thorough"),
    ],
)
def test_an_invalid_preset_names_its_setting(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(GenSegError, match=f"preset '(hippocampus-mri)?'.*{fault}"):
        Preset.from_json(hippocampus(**changes))


def test_a_missing_setting_is_named() -> None:
    values = hippocampus()
    del values["modality"]
    with pytest.raises(GenSegError, match="missing 1 required positional argument: 'modality'"):
        Preset.from_json(values)


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_holds_settings_of_a_training(name: str) -> None:
    settings = load_recipe(name)
    config = TrainConfig.for_preset(load_preset("hippocampus-mri"), **settings)
    assert {key: getattr(config, key) for key in settings} == settings


def test_the_published_recipe_uses_masks_only_and_learns_only_its_architecture() -> None:
    config = TrainConfig.for_preset(load_preset("hippocampus-mri"), **load_recipe("paper"))
    assert (config.generator, config.search_space) == ("mask-only", "paper")
    assert config.frozen_variables == {"weight", "residual", "appearance"}
    assert not config.direct_path


def test_an_unknown_recipe_is_refused_with_the_known_names() -> None:
    with pytest.raises(GenSegError, match="unknown recipe 'secret'; choose paper"):
        load_recipe("secret")


def test_presets_of_genseg_are_read_once() -> None:
    assert load_preset("liver-ct") is load_preset("liver-ct")


def test_hippocampi_of_one_side_teach_both() -> None:
    preset = load_preset("hippocampus-mri")
    assert [preset.orientation[axis] for axis in preset.mirror_axes] == ["R"]
