"""Recipes: named ways to train, such as a published one."""

from __future__ import annotations

import pytest

from GenSegLib.config import TrainConfig
from GenSegLib.errors import GenSegError
from GenSegLib.presets import load_preset
from GenSegLib.recipes import list_recipes, load_recipe

PRESET = load_preset("hippocampus-mri")


@pytest.mark.parametrize("name", list_recipes())
def test_a_recipe_holds_settings_of_a_training(name: str) -> None:
    settings = load_recipe(name)
    config = TrainConfig.for_preset(PRESET, **settings)
    assert {key: getattr(config, key) for key in settings} == settings


def test_the_published_recipe_sees_masks_alone_and_learns_its_architecture_alone() -> None:
    config = TrainConfig.for_preset(PRESET, **load_recipe("paper-3d"))
    assert (config.generator, config.search_space) == ("mask-only", "paper")
    assert config.frozen_variables == {"weight", "residual", "appearance"}
    assert config.lower_path
    assert not config.direct_path


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    with pytest.raises(GenSegError, match="no recipe 'secret'; choose paper-3d"):
        load_recipe("secret")
