"""Ablation settings remove a part of the method, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from multilevel_problems import gradient_step
from small_learners import small_learner

from GenSegLib.augmentation.policy import AugmentationPolicy
from GenSegLib.augmentation.random_generator import RandomGenerator
from GenSegLib.augmentation.spatial import NO_DEFORMATION
from GenSegLib.config import UPPER_VARIABLES, TrainConfig
from GenSegLib.multilevel import TrilevelProblem, finite_difference
from GenSegLib.presets import load_preset
from GenSegLib.recipes import load_recipe
from GenSegLib.training.batches import TrilevelBatch
from GenSegLib.training.learner import Learner
from GenSegLib.training.synthesis import training_pairs
from GenSegLib.training.upper_variables import UpperVariables

pytestmark = pytest.mark.usefixtures("few_channels")


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return small_learner(tmp_path_factory.mktemp("ablations") / "run")


@pytest.fixture(scope="module")
def batch(learner: Learner) -> TrilevelBatch:
    return learner.sampler.trilevel_batch()


def ablated(learner: Learner, batch: TrilevelBatch, **settings: Any) -> TrilevelProblem:
    return replace(learner.problem, **settings).trilevel(batch, 1e-3, 1e-3)


def by_variable(problem: TrilevelProblem) -> dict[int, torch.Tensor]:
    """The hypergradient of each upper-level variable."""
    found = finite_difference(problem, gradient_step(problem))
    return dict(zip(map(id, problem.upper), found))


@pytest.mark.parametrize("name", UPPER_VARIABLES)
def test_a_frozen_variable_leaves_the_hypergradients_of_the_others_unchanged(
    learner: Learner, batch: TrilevelBatch, name: str
) -> None:
    complete = by_variable(ablated(learner, batch))
    rest = by_variable(ablated(learner, batch, frozen={name}))
    assert set(rest) < set(complete)
    torch.testing.assert_close(rest, {key: complete[key] for key in rest})


def test_without_the_direct_path_only_the_generators_weights_carry_the_hypergradient(
    learner: Learner, batch: TrilevelBatch
) -> None:
    """The weight of generated pairs has no influence on the generator."""
    found = by_variable(ablated(learner, batch, direct_path=False))
    variables = learner.problem.variables
    assert not found[id(variables.weight_logit)].any()
    architecture = learner.problem.upper_parameters()[0]
    assert found[id(architecture)].any()


def test_with_all_variables_frozen_the_upper_level_stays_fixed(tmp_path: Path) -> None:
    frozen = ",".join(UPPER_VARIABLES)
    learner = small_learner(tmp_path / "run", frozen=frozen, upper_interval=1)
    before = learner.upper_values()
    learner.joint_step(0)
    assert learner.upper_values() == before


def test_strengths_have_a_gradient_even_if_no_transform_was_sampled() -> None:
    """Otherwise processes that share a batch would average different sets of gradients."""
    upper = UpperVariables(AugmentationPolicy(probability=0.0))
    upper.requires_grad_(False).log_strengths.requires_grad_(True)
    images = torch.rand(1, 1, 8, 8, 8)
    found = upper(images, images, RandomGenerator(0))
    assert torch.equal(found, images)
    assert not torch.autograd.grad(found.sum(), upper.log_strengths)[0].any()


def test_the_published_recipe_has_affine_masks_and_learns_only_the_architecture(
    tmp_path: Path,
) -> None:
    learner = small_learner(tmp_path / "run", **load_recipe("paper"))
    assert learner.sampler.spatial.elastic == 0
    assert learner.sampler.spatial.rotation > 0
    before = learner.upper_values()
    learner.warmup_step()
    learner.joint_step(0)
    after = learner.upper_values()
    changed = {name.split("/")[0] for name in after if after[name] != before[name]}
    assert changed == {"alpha"}


def test_pairs_of_the_published_recipe_are_written_as_the_segmenter_receives_them(
    tmp_path: Path,
) -> None:
    learner = small_learner(tmp_path / "run", **load_recipe("paper"))

    def masks() -> list[torch.Tensor]:
        return [pair.label for pair in training_pairs(learner, 6, seed=0)]

    received = masks()
    learner.sampler.spatial = NO_DEFORMATION
    assert not all(torch.equal(*pair) for pair in zip(received, masks()))


def test_the_unet_of_the_published_recipe_is_not_pretrained() -> None:
    preset = load_preset("generic-2d-color")
    assert TrainConfig.for_preset(preset).encoder == "pretrained"
    assert TrainConfig.for_preset(preset, **load_recipe("paper")).network == "unet"
