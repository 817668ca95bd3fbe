"""What a setting takes away from the method is away, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_learners import small_learner

from GenSegLib.augmentation.policy import Policy
from GenSegLib.augmentation.randomness import Randomness
from GenSegLib.config import UPPER_VARIABLES
from GenSegLib.multilevel import Trilevel, finite_difference
from GenSegLib.networks.upper_variables import UpperVariables
from GenSegLib.recipes import load_recipe
from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import Batches


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return small_learner(tmp_path_factory.mktemp("ablations") / "run")


@pytest.fixture(scope="module")
def batches(learner: Learner) -> Batches:
    return learner.sampling.batches()


def without(learner: Learner, batches: Batches, **ablation: Any) -> Trilevel:
    return replace(learner.problem, **ablation).trilevel(batches, 1e-3, 1e-3)


def feedback(problem: Trilevel, **paths: bool) -> dict[int, torch.Tensor]:
    """The hypergradient by the variable that it is for."""
    return dict(zip(map(id, problem.upper), finite_difference(problem, **paths)))


@pytest.mark.parametrize("name", UPPER_VARIABLES)
def test_a_frozen_variable_gets_no_feedback_and_the_others_theirs(
    learner: Learner, batches: Batches, name: str
) -> None:
    whole = feedback(without(learner, batches))
    rest = feedback(without(learner, batches, frozen={name}))
    assert set(rest) < set(whole)
    torch.testing.assert_close(rest, {key: whole[key] for key in rest})


@pytest.mark.parametrize("path", ["direct_path", "lower_path"])
def test_a_path_that_is_off_adds_nothing_to_the_feedback(
    learner: Learner, batches: Batches, path: str
) -> None:
    whole, cut = without(learner, batches), without(learner, batches, **{path: False})
    expected = feedback(whole, **{path: False})
    torch.testing.assert_close(feedback(cut), expected)


def test_with_all_variables_frozen_nothing_is_steered(tmp_path: Path) -> None:
    learner = small_learner(tmp_path / "run", frozen=",".join(UPPER_VARIABLES), upper_every=1)
    before = learner.upper_values()
    learner.joint_step(0)
    assert learner.upper_values() == before


def test_what_chance_leaves_as_it_is_still_asks_for_the_strengths_gradient() -> None:
    """Else processes that share a batch would ask each other for different gradients."""
    upper = UpperVariables(Policy(probability=0.0))
    upper.requires_grad_(False).log_strengths.requires_grad_(True)
    images = torch.rand(1, 1, 8, 8, 8)
    found = upper(images, images, Randomness(torch.Generator().manual_seed(0)))
    assert torch.equal(found, images)
    assert not torch.autograd.grad(found.sum(), upper.log_strengths)[0].any()


def test_the_published_recipe_moves_masks_affinely_and_learns_its_architecture_alone(
    tmp_path: Path,
) -> None:
    learner = small_learner(tmp_path / "run", **load_recipe("paper-3d"))
    assert learner.sampling.spatial.elastic == 0
    assert learner.sampling.spatial.rotation > 0
    before = learner.upper_values()
    learner.warm_up_step()
    learner.joint_step(0)
    after = learner.upper_values()
    moved = {name.split("/")[0] for name in after if after[name] != before[name]}
    assert moved == {"alpha"}
