"""The three levels on real networks: what each loss depends on, and what feedback leaves alone."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch
from small_learners import smooth, trilevel
from small_runs import small_run

from GenSegLib.augmentation.policy import Policy
from GenSegLib.multilevel import finite_difference, neumann, unroll
from GenSegLib.multilevel.levels import gradient
from GenSegLib.networks.upper_variables import UpperVariables
from GenSegLib.presets import load_preset
from GenSegLib.training.generated import draw_pairs
from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import balanced
from GenSegLib.training.session import load_session

SEGMENTERS = ("unet", "dynunet", "segresnet")


def made(folder: Path, segmenter: str, *, smoothed: bool = False) -> Learner:
    """A learner that has trained a little."""
    found = load_session(small_run(folder, segmenter=segmenter, precision="fp32")).learner
    problem = found.problem
    if smoothed:
        for network in (problem.segmenter, problem.generator, problem.discriminator):
            smooth(network)
        problem.__post_init__()
    torch.nn.init.normal_(problem.generator.head.weight, std=0.05)
    found.set_segmenter_rate(1.0)
    for step in range(20):
        found.joint_step(2 * step)
    return found


@pytest.fixture(scope="module", params=SEGMENTERS)
def learner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return made(tmp_path_factory.mktemp("problem") / "run", request.param)


@pytest.mark.parametrize("method", [finite_difference, unroll, neumann])
def test_a_hypergradient_leaves_every_network_as_it_was(learner: Learner, method: type) -> None:
    networks = (learner.problem.segmenter, learner.problem.generator, learner.problem.variables)
    parameters = [p for network in networks for p in network.parameters()]
    values = [p.detach().clone() for p in parameters]
    method(trilevel(learner))
    after = [p for network in networks for p in network.parameters()]
    assert all(a is b for a, b in zip(parameters, after))
    assert all(torch.equal(a, b) for a, b in zip(values, after))


def test_the_losses_give_the_same_value_twice(learner: Learner) -> None:
    problem = trilevel(learner)

    def losses() -> list[torch.Tensor]:
        bridge = problem.bridge(problem.lower, problem.upper)
        return [
            problem.lower_loss(problem.lower, problem.upper),
            problem.middle_loss(problem.middle, bridge),
            problem.upper_loss(problem.middle, problem.upper),
        ]

    assert all(torch.equal(a, b) for a, b in zip(losses(), losses()))


def test_every_upper_level_variable_is_heard(learner: Learner) -> None:
    # on several batches, since chance may change the appearance of none of a batch's samples
    draws = [finite_difference(trilevel(learner)) for _ in range(4)]
    assert all(torch.isfinite(g).all() for found in draws for g in found)
    assert all(sum(g.abs().sum() for g in variable) > 0 for variable in zip(*draws))


@pytest.mark.parametrize("segmenter", ["dynunet", "segresnet"])
def test_finite_differences_point_where_exact_unrolling_does(
    tmp_path: Path, segmenter: str
) -> None:
    # Smooth networks: at the kinks of a ReLU the exact second derivative is zero, while the loss,
    # and a difference of it with it, does bend. The step is small, so that what a wide one leaves
    # out cannot hide a fault; in float32 it is large enough.
    learner = made(tmp_path / "run", segmenter, smoothed=True)
    cosines = []
    for _ in range(5):
        problem = trilevel(learner)
        found, exact = finite_difference(problem, size=1e-4), unroll(problem)
        sides = [torch.cat([g.flatten() for g in side]) for side in (found, exact)]
        cosines.append(float(torch.cosine_similarity(*sides, dim=0)))
    assert statistics.median(cosines) > 0.99


def test_the_segmenters_own_step_teaches_the_generator_nothing(learner: Learner) -> None:
    problem = trilevel(learner)
    before = [p.detach().clone() for p in problem.upper]
    learner.engine.iterate(0, problem)
    assert all(torch.equal(a, b) for a, b in zip(before, problem.upper))
    found = gradient(problem.upper_loss(problem.middle, problem.upper), problem.upper)
    assert all(float(g.abs().sum()) == 0 for g in found)


def test_the_part_of_the_loss_that_generated_images_enter_has_all_of_their_derivative(
    learner: Learner,
) -> None:
    problem = trilevel(learner)
    bridge = [t.detach().requires_grad_() for t in problem.bridge(problem.lower, problem.upper)]
    losses = (problem.middle_loss, problem.crossing_loss)
    whole, part = (gradient(loss(problem.middle, bridge), bridge) for loss in losses)
    torch.testing.assert_close(part, whole)
    assert problem.crossing_part is not None


def test_held_back_cases_judge_the_averaged_segmenter(learner: Learner) -> None:
    problem, batches = learner.problem, learner.sampling.batches()
    own = problem.middle_parameters()
    averaged = [(p + 0.01).detach().requires_grad_() for p in own]
    judged = problem.upper_loss(batches, own, averaged)
    there = problem.upper_loss(batches, averaged)
    torch.testing.assert_close(judged, there)
    torch.testing.assert_close(gradient(judged, own), gradient(there, averaged))


def test_the_weight_of_generated_pairs_balances_them_and_lengthens_no_step() -> None:
    real, generated = torch.tensor(0.7), torch.tensor(0.4)
    for share in (0.0, 0.5, 1.0, 2.0):
        weight = torch.tensor(share, requires_grad=True)
        torch.testing.assert_close(balanced(real, real, weight), 2 * real)
        (slope,) = gradient(balanced(real, generated, weight), [weight])
        assert slope < 0  # what is to be learned lies where the loss is larger
    torch.testing.assert_close(balanced(real, generated, torch.tensor(1.0)), real + generated)


def test_batch_normalization_keeps_the_real_pairs_beside_the_generated_ones(
    tmp_path: Path,
) -> None:
    run = small_run(tmp_path / "run", segmenter="attention-unet", precision="fp32")
    assert trilevel(load_session(run).learner).crossing_part is None


def test_generated_pairs_are_shown_with_the_share_of_the_residual_that_was_learned(
    learner: Learner,
) -> None:
    learner.shown.tensors = [tensor + 0.1 for tensor in learner.shown.tensors]
    images = []
    for logit in (-20.0, 20.0):
        with torch.no_grad():
            learner.problem.variables.residual_logit.fill_(logit)
        images.append(draw_pairs(learner, ["blending"], seed=0)[0].image)
    assert not torch.equal(*images)


def test_generated_images_stay_in_the_window_of_real_ones_whatever_the_residual_s_share() -> None:
    variables = UpperVariables(Policy.of(load_preset("liver-ct")))
    with torch.no_grad():
        variables.residual_logit.fill_(3.0)
    source, generated = torch.rand(1, 1, 8, 8, 8), torch.rand(1, 1, 8, 8, 8)
    mixed = variables.mixed(source, generated)
    assert 0 <= float(mixed.min()) <= float(mixed.max()) <= 1


def test_a_warm_up_draws_what_the_generator_learns_from_alone(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(**_: object) -> None:
        raise AssertionError("the segmenter does not learn yet")

    for draw in ("real", "blends"):
        monkeypatch.setattr(learner.sampling, draw, unwanted)
    assert learner.warm_up_step()["generator_loss"] > 0
