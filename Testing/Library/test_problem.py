"""The three levels on real networks: what each loss depends on, and their hypergradients."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch
from multilevel_problems import gradient_step
from small_learners import small_learner, smooth, trilevel
from small_runs import small_run

from GenSegLib.augmentation.policy import AugmentationPolicy
from GenSegLib.multilevel import HYPERGRADIENTS, finite_difference, unroll
from GenSegLib.multilevel.vectors import gradient
from GenSegLib.presets import load_preset
from GenSegLib.training.learner import Learner
from GenSegLib.training.problem import weighted_mean
from GenSegLib.training.session import load_session
from GenSegLib.training.synthesis import generate_pairs
from GenSegLib.training.upper_variables import UpperVariables

pytestmark = pytest.mark.usefixtures("few_channels")


def trained_learner(folder: Path, segmenter: str, *, smoothed: bool = False) -> Learner:
    """A learner after a few steps."""
    learner = load_session(small_run(folder, segmenter=segmenter, precision="fp32")).learner
    problem = learner.problem
    if smoothed:
        for network in (problem.segmenter, problem.generator, problem.discriminator):
            smooth(network)
        problem.__post_init__()
    torch.nn.init.normal_(problem.generator.head.weight, std=0.05)
    learner.set_segmenter_lr(1.0)
    for step in range(8):
        learner.joint_step(2 * step)
    return learner


@pytest.fixture(scope="module", params=["unet", "dynunet"])
def learner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return trained_learner(tmp_path_factory.mktemp("problem") / "run", request.param)


@pytest.mark.parametrize("name", HYPERGRADIENTS)
def test_a_hypergradient_leaves_all_networks_unchanged(learner: Learner, name: str) -> None:
    networks = (learner.problem.segmenter, learner.problem.generator, learner.problem.variables)
    parameters = [p for network in networks for p in network.parameters()]
    values = [p.detach().clone() for p in parameters]
    before = trilevel(learner)
    HYPERGRADIENTS[name](before, gradient_step(before))
    after = [p for network in networks for p in network.parameters()]
    assert all(a is b for a, b in zip(parameters, after))
    assert all(map(torch.equal, values, after))


def test_losses_are_deterministic(learner: Learner) -> None:
    problem = trilevel(learner)

    def losses() -> list[torch.Tensor]:
        generated = problem.generate(problem.lower, problem.upper)
        return [
            problem.lower_loss(problem.lower, problem.upper),
            problem.middle_loss(problem.middle, generated),
            problem.upper_loss(problem.middle, problem.upper),
        ]

    assert all(map(torch.equal, losses(), losses()))


def test_every_upper_level_variable_has_a_hypergradient(learner: Learner) -> None:
    # over several batches, since a batch may have no sample with a changed appearance
    problems = [trilevel(learner) for _ in range(4)]
    batches = [finite_difference(problem, gradient_step(problem)) for problem in problems]
    assert all(torch.isfinite(grad).all() for grads in batches for grad in grads)
    assert all(sum(grad.abs().sum() for grad in variable) > 0 for variable in zip(*batches))


def test_finite_differences_have_the_direction_of_exact_unrolling(tmp_path: Path) -> None:
    # With smooth activations: at the kinks of a ReLU the exact second derivative is zero, while a
    # difference sees the kink. The step is small, so that truncation errors hide nothing.
    learner = trained_learner(tmp_path / "run", "segresnet", smoothed=True)
    cosines = []
    for _ in range(3):
        problem = trilevel(learner)
        found = finite_difference(problem, gradient_step(problem), size=1e-4)
        exact = unroll(problem)
        sides = [torch.cat([grad.flatten() for grad in side]) for side in (found, exact)]
        cosines.append(float(torch.cosine_similarity(*sides, dim=0)))
    assert statistics.median(cosines) > 0.99


def test_lower_steps_leave_the_upper_level_alone_and_its_loss_has_no_direct_gradient(
    learner: Learner,
) -> None:
    problem = trilevel(learner)
    before = [p.detach().clone() for p in problem.upper]
    learner.engine.iterate(0, problem)
    assert all(map(torch.equal, before, problem.upper))
    grads = gradient(problem.upper_loss(problem.middle, problem.upper), problem.upper)
    assert not any(bool(grad.any()) for grad in grads)


def test_the_split_middle_loss_has_the_same_derivative_by_the_generated_batch(
    learner: Learner,
) -> None:
    problem = trilevel(learner)
    assert problem.split_middle_loss is not None
    batch = problem.generate(problem.lower, problem.upper)
    generated = [tensor.detach().requires_grad_() for tensor in batch]
    both, split = (
        gradient(loss(problem.middle, generated), generated)
        for loss in (problem.middle_loss, problem.split_middle_loss)
    )
    torch.testing.assert_close(split, both)


@pytest.fixture
def normalized(tmp_path: Path) -> Learner:
    """A learner whose segmenter has batch normalization."""
    run = small_run(tmp_path / "run", segmenter="attention-unet", precision="fp32")
    return load_session(run).learner


def test_segmenters_with_batch_norm_have_no_split_middle_loss(normalized: Learner) -> None:
    assert trilevel(normalized).split_middle_loss is None


def test_only_steps_change_batch_norm_statistics_not_hypergradients(normalized: Learner) -> None:
    problem, hypergradient = trilevel(normalized), normalized.engine.hypergradient
    assert hypergradient is not None

    def means() -> list[torch.Tensor]:
        buffers = normalized.problem.segmenter.named_buffers()
        return [value.clone() for name, value in buffers if name.endswith("running_mean")]

    after = gradient_step(problem)
    before = means()
    hypergradient(problem, after)
    assert before and all(map(torch.equal, before, means()))
    problem.middle_loss(problem.middle, problem.generate(problem.lower, problem.upper))
    assert not any(map(torch.equal, before, means()))


def test_the_upper_loss_is_evaluated_at_the_averaged_weights(learner: Learner) -> None:
    problem, batch = learner.problem, learner.sampler.trilevel_batch().validation
    own = problem.middle_parameters()
    averaged = [(p + 0.01).detach().requires_grad_() for p in own]
    loss, expected = problem.upper_loss(batch, own, averaged), problem.upper_loss(batch, averaged)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient(loss, own), gradient(expected, averaged))


def test_the_weight_of_generated_pairs_keeps_the_total_weight_constant() -> None:
    real, generated = torch.tensor(0.7), torch.tensor(0.4)
    for value in (0.0, 0.5, 1.0, 2.0):
        weight = torch.tensor(value, requires_grad=True)
        torch.testing.assert_close(weighted_mean(real, real, weight), 2 * real)
        (slope,) = gradient(weighted_mean(real, generated, weight), [weight])
        assert slope < 0  # towards the smaller loss
    torch.testing.assert_close(weighted_mean(real, generated, torch.tensor(1.0)), real + generated)


def test_the_variables_of_a_network_generator_have_a_signal_to_noise(tmp_path: Path) -> None:
    learner = small_learner(tmp_path / "run", upper_interval=1)
    for step in range(2):
        learner.joint_step(step)
    values = learner.upper_values()
    names = {name.partition("/")[2] for name in values if name.startswith("signal_to_noise/")}
    assert names == {"weight", "residual", *learner.problem.variables.transforms}


def test_previews_show_the_learned_scale_of_the_residual(learner: Learner) -> None:
    for tensor in learner.averaged_generator_weights:
        tensor.add_(0.1)
    images = []
    for logit in (-20.0, 20.0):
        with torch.no_grad():
            learner.problem.variables.residual_logit.fill_(logit)
        images.append(generate_pairs(learner, ["blending"], seed=0)[0].image)
    assert not torch.equal(*images)


def test_bounded_images_stay_in_the_window_at_any_scale_of_the_residual() -> None:
    variables = UpperVariables(AugmentationPolicy.for_preset(load_preset("liver-ct")))
    with torch.no_grad():
        variables.residual_logit.fill_(3.0)
    source, generated = torch.rand(1, 1, 8, 8, 8), torch.rand(1, 1, 8, 8, 8)
    scaled = variables.scale_residual(source, generated)
    assert 0 <= float(scaled.min()) <= float(scaled.max()) <= 1


def test_a_warmup_step_samples_nothing_for_the_segmenter(
    learner: Learner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise AssertionError("the segmenter does not train yet")

    monkeypatch.setattr(learner.sampler, "real", fail)
    assert learner.warmup_step()["generator_loss"] > 0
