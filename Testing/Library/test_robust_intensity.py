"""Intensities of models for any scanner: those of CT and MR come into the same range."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from GenSegLib.config import TrainConfig, with_target_scanner
from GenSegLib.data.normalization import intensity_range
from GenSegLib.data.preprocessing import Preprocessor
from GenSegLib.images.volume import Volume
from GenSegLib.presets import Preset, load_preset


def body(air: float, tissue: float, bright: float) -> Volume:
    """A cube of two tissues in air, with one very bright voxel."""
    array = np.full((1, 32, 32, 32), air, np.float32)
    array[:, 8:24, 8:24, 8:24] = tissue
    array[:, 8:16, 8:24, 8:24] = tissue + 50
    array[:, 10, 10, 10] = bright
    return Volume(array, np.eye(4))


def any_scanner(name: str) -> Preset:
    return load_preset(name).for_any_scanner()


@pytest.mark.parametrize("name", ["generic-ct", "generic-mri"])
@pytest.mark.parametrize("image", [(-1000, 40, 3000), (0, 300, 90_000)], ids=["CT", "MR"])
def test_images_of_any_modality_keep_their_contrasts(
    name: str, image: tuple[float, float, float]
) -> None:
    result = Preprocessor(any_scanner(name)).apply(body(*image)).image
    assert float(result.mean()) == pytest.approx(0, abs=0.02)
    assert float(result.std()) == pytest.approx(1, abs=0.02)
    contrast = float(result[0, 6, 12, 12] - result[0, 16, 12, 12])  # 50 of HU or signal
    assert 0.2 < contrast < 2  # although one voxel is very bright


def test_organs_darker_than_fluid_are_as_bright_as_in_ct() -> None:
    image = body(0, 100, 100)
    image.array[:, 8:24, 8:24, 22:24] = 1000  # fluid
    preset = replace(any_scanner("generic-mri"), crop_foreground=False)
    result = Preprocessor(preset).apply(image).image[0]
    organ, fluid, air = (float(result[place]) for place in ((8, 12, 12), (16, 12, 22), (0, 0, 0)))
    assert (organ - air) / (fluid - air) == pytest.approx(preset.intensity.median, abs=0.1)


def test_negative_intensities_alone_make_no_ct() -> None:
    image = body(0, 600, 600)
    image.array[...] += np.random.default_rng(0).normal(0, 100, image.array.shape)  # to below -100
    preset = replace(any_scanner("generic-mri"), crop_foreground=False)
    result = Preprocessor(preset).apply(image).image[0]
    organ, air = float(result[8:24, 8:24, 8:24].mean()), float(result[:6].mean())
    assert organ - air > 2  # standard deviations; clipped to a window of HU, less than 0.5


def test_models_of_presets_without_a_median_keep_their_intensities() -> None:
    preset = any_scanner("generic-mri")
    old = replace(preset, intensity=replace(preset.intensity, median=0.0))
    scaling = intensity_range(body(0, 100, 900).array, old.intensity)
    assert scaling is not None
    assert np.all(scaling.gamma == 1)


def test_statistics_of_a_cropped_image_are_those_of_the_whole_one() -> None:
    preprocessor, image = Preprocessor(any_scanner("generic-ct")), body(-1000, 40, 3000)
    statistics = preprocessor.statistics(image)
    assert statistics is not None
    whole = preprocessor.apply(image).image
    np.testing.assert_allclose(preprocessor.apply(image, statistics=statistics).image, whole)


def test_a_constant_image_becomes_zero() -> None:
    image = Volume(np.full((1, 8, 8, 8), 7.0, np.float32), np.eye(4))
    assert not Preprocessor(any_scanner("generic-mri")).apply(image).image.any()


def test_presets_for_the_same_scanner_do_not_clip_to_percentiles() -> None:
    for name in ("generic-ct", "generic-mri"):
        assert intensity_range(np.zeros((1, 4, 4, 4)), load_preset(name).intensity) is None


def test_colors_stay_as_they_are() -> None:
    preset = load_preset("generic-2d-color")
    assert preset.for_any_scanner() == preset


def test_presets_for_any_scanner_are_stored() -> None:
    preset = any_scanner("generic-ct")
    assert Preset.from_json(preset.to_json()) == preset


def test_models_for_other_scanners_learn_from_recolored_regions() -> None:
    assert with_target_scanner({"target_scanner": 1.0})["generator"] == "regions"
    assert with_target_scanner({"generator": "regions"})["target_scanner"] == 0.5
    chosen = {"target_scanner": 1.0, "generator": "none"}
    assert with_target_scanner(chosen) == chosen
    assert with_target_scanner({}) == {}
    assert TrainConfig.for_preset(load_preset("generic-ct")).target_scanner == 0
