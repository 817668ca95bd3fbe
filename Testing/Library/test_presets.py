"""The presets that are shipped, and those that users write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from GenSegLib.config import SEGMENTERS, TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import EFFORTS, Preset, list_presets, load_preset


def hippocampus(**changes: Any) -> dict[str, Any]:
    return load_preset("hippocampus-mri").to_json() | changes


def test_the_presets_that_are_shipped() -> None:
    generic, livers = ("generic-ct", "generic-mri"), ("liver-ct", "liver-mr")
    assert list_presets() == (*generic, "hippocampus-mri", *livers)


@pytest.mark.parametrize("name", list_presets())
def test_a_shipped_preset_comes_back_unchanged_through_a_file(name: str, tmp_path: Path) -> None:
    preset = load_preset(name)
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(preset.to_json()))
    assert preset.name == name
    assert load_preset(path) == preset


@pytest.mark.parametrize("name", list_presets())
def test_a_shipped_preset_can_be_trained_with_every_effort(name: str) -> None:
    preset = load_preset(name)
    assert preset.segmenter in SEGMENTERS
    for effort in EFFORTS:
        assert TrainConfig.for_preset(preset, effort).final_steps > 0


@pytest.mark.parametrize("name", list_presets())
def test_a_shipped_preset_colors_and_codes_each_of_its_labels(name: str) -> None:
    preset = load_preset(name)
    assert preset.colors.keys() == preset.labels.keys() == preset.terminology.keys()
    for entry in preset.terminology.values():
        assert len(entry.split("~")) == 7, "3D Slicer's terminology entries have seven parts"


def test_the_hippocampus_preset_is_that_of_the_decathlon() -> None:
    preset = load_preset("hippocampus-mri")
    assert preset.labels == {1: "Anterior", 2: "Posterior"}
    assert preset.spacing == (1.0, 1.0, 1.0)
    assert preset.intensity.kind == "zscore"


def test_a_preset_from_before_coarse_spacings_has_none() -> None:
    values = hippocampus()
    for name in ("coarse_spacing", "coarse_share", "coarse_margin_mm", "foreground_share"):
        del values[name]
    del values["coordinates"], values["optional_labels"]
    assert Preset.from_json(values) == load_preset("hippocampus-mri")


@pytest.mark.parametrize("name", ["liver-ct", "liver-mr"])
def test_a_model_of_the_liver_has_lesions_where_cases_have_them(name: str) -> None:
    preset = load_preset(name)
    assert preset.labels_of({1}) == {1: "Liver"}
    assert preset.labels_of({1, 2}) == {1: "Liver", 2: "Lesion"}
    assert preset.single_labels == (1,), "a liver is one piece, lesions are any number"


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(GenSegError, match=r"no preset 'kidney'; choose generic-ct, .*liver-ct"):
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
        ({"orientation": "RAR"}, "orientation must be axis codes"),
        ({"patch_size": [True, 56, 40]}, "patch_size must be 3 multiples of 8"),
        ({"multiple": 100000}, "multiple must be 1 to 128"),
        ({"multiple": 8.0}, "multiple must be a whole number"),
        ({"crop_foreground": "no"}, "crop_foreground must be true or false"),
        ({"title": None}, "title must be a text"),
        ({"foreground_share": "half"}, "foreground_share must be a number"),
        ({"colors": {"1": [300, 0, 0]}}, "colors must be RGB from 0 to 255"),
        ({"spacing": [1, 1, 0]}, "spacing must be 3 lengths from 0.01 to 50 mm"),
        ({"spacing": [1, 1, 1e9]}, "spacing must be 3 lengths from 0.01 to 50 mm"),
        ({"modality": "PET"}, "modality must be 'MR', 'CT' or empty"),
        ({"intensity": {"kind": "window", "low": 5, "high": 5}}, "intensity must be a window"),
        ({"intensity": {"kind": "percentile"}}, "intensity.kind must be"),
        ({"labels": {"0": "Background"}}, "labels must be values of 1 or more"),
        ({"labels": ["Liver"]}, "cannot be read"),
        ({"coarse_spacing": [4, 4]}, "coarse_spacing must be 3 lengths from 0.01 to 50 mm"),
        ({"coarse_share": 1.5}, "coarse_share must be from 0 to 1"),
        ({"foreground_share": -0.1}, "foreground_share must be from 0 to 1"),
        ({"coarse_margin_mm": -1}, "coarse_margin_mm must be 0 or more"),
        ({"optional_labels": [1, 2]}, "optional_labels must be some of the labels, not all"),
        ({"mirror_axes": [3]}, r"mirror_axes must be some of \[0, 1, 2\]"),
        ({"mirror_axes": [0, 0]}, "mirror_axes must be some of"),
        ({"steps": {}}, "steps must be entries for quick, standard, thorough"),
    ],
)
def test_a_preset_that_cannot_work_names_its_setting(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(GenSegError, match=f"preset 'hippocampus-mri'.*{fault}"):
        Preset.from_json(hippocampus(**changes))


def test_a_missing_setting_is_named() -> None:
    values = hippocampus()
    del values["modality"]
    with pytest.raises(GenSegError, match="missing 1 required positional argument: 'modality'"):
        Preset.from_json(values)
