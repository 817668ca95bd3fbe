"""Generators without cells in a joint training; cells train in test_training and test_problem."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from small_learners import small_learner, trilevel

from GenSegLib.multilevel import finite_difference, unroll
from GenSegLib.training.learner import Learner


@dataclass
class Trained:
    """A learner after a few steps, their losses, and the parameters that did not change."""

    learner: Learner
    losses: list[dict[str, float]]
    unchanged: list[str]


@pytest.fixture(scope="module", params=["spade", "vae", "diffusion"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("generators") / "run"
    settings = {"generator": request.param, "segmenter": "segresnet", "upper_interval": 2}
    learner = small_learner(folder, smoothed=True, **settings)
    problem = learner.problem
    names = [
        name for of in ("generator", "architecture", "variables") for name in problem.names[of]
    ]
    parameters = [*problem.lower_parameters(), *problem.upper_parameters()]
    before = [tensor.detach().clone() for tensor in parameters]
    losses = [learner.warmup_step(), *(learner.joint_step(step) for step in range(2))]
    unchanged = [name for name, a, b in zip(names, before, parameters) if torch.equal(a, b)]
    return Trained(learner, losses, unchanged)


def test_joint_steps_change_every_weight_of_generator_and_upper_level(trained: Trained) -> None:
    assert all(math.isfinite(value) for loss in trained.losses for value in loss.values())
    assert trained.unchanged == []


def test_finite_differences_agree_with_unrolling(trained: Trained) -> None:
    problem = trilevel(trained.learner)
    found, exact = finite_difference(problem, size=1e-3), unroll(problem)
    sides = [torch.cat([g.flatten() for g in side]) for side in (found, exact)]
    assert torch.cosine_similarity(*sides, dim=0) > 0.95


def test_micro_batches_give_the_same_up_to_rounding(trained: Trained) -> None:
    problem, batch = trained.learner.problem, trained.learner.sampler.trilevel_batch()
    parameters = problem.lower_parameters(), problem.upper_parameters()

    def results() -> list[torch.Tensor]:
        images = problem.generate_images(batch.blended, *parameters, 1)
        return [problem.lower_loss(batch, *parameters), images]

    whole = results()
    problem.micro_batches.size = 1
    split = results()
    problem.micro_batches.size = 0
    torch.testing.assert_close(whole, split, rtol=1e-3, atol=1e-3)
