"""The engine solves nested problems with known solutions."""

from __future__ import annotations

import torch
from multilevel_problems import Quadratic, tiny_networks

from GenSegLib.augmentation.policy import AugmentationPolicy
from GenSegLib.multilevel import Engine, Level, TrilevelProblem, finite_difference, unroll
from GenSegLib.multilevel.signal import GradientSignal
from GenSegLib.multilevel.vectors import StepSizes, Tensors
from GenSegLib.presets import load_preset
from GenSegLib.training.upper_variables import UpperVariables

UPPER_LR = 0.02


def engine_for(
    problem: TrilevelProblem,
    *,
    hypergradient: bool = True,
    upper_interval: int = 1,
) -> Engine:
    def level(parameters: Tensors, step_size: StepSizes) -> Level:
        assert isinstance(step_size, float)
        for parameter in parameters:
            parameter.requires_grad_(True)
        return Level(parameters, torch.optim.SGD(parameters, step_size))

    return Engine(
        lower=level(problem.lower, problem.lower_step_size),
        middle=level(problem.middle, problem.middle_step_size),
        upper=level(problem.upper, UPPER_LR),
        hypergradient=finite_difference if hypergradient else None,
        upper_interval=upper_interval,
    )


def run(problem: Quadratic, engine: Engine, iterations: int) -> None:
    for step in range(iterations):
        engine.iterate(step, problem.trilevel())


def test_without_a_hypergradient_lower_levels_are_solved_and_the_upper_stays_fixed() -> None:
    problem = Quadratic(0)
    before = problem.a.clone()
    run(problem, engine_for(problem.trilevel(), hypergradient=False), 200)
    assert torch.equal(problem.a, before)
    found = problem.w.detach(), problem.s.detach()
    with torch.no_grad():
        problem.solve_lower_problems()
    torch.testing.assert_close(found, (problem.w, problem.s), rtol=1e-4, atol=1e-4)


def test_hypergradients_lower_the_upper_loss() -> None:
    steered, fixed = Quadratic(0), Quadratic(0)
    run(steered, engine_for(steered.trilevel()), 300)
    run(fixed, engine_for(fixed.trilevel(), hypergradient=False), 300)
    losses = [p.trilevel().upper_loss([p.s], [p.a]).item() for p in (steered, fixed)]
    assert losses[0] < 0.5 * losses[1]


def test_the_upper_level_steps_once_per_interval() -> None:
    problem = Quadratic(0)
    engine = engine_for(problem.trilevel(), upper_interval=5)
    before = problem.a.clone()
    run(problem, engine, 4)
    assert torch.equal(problem.a.detach(), before)
    engine.iterate(4, problem.trilevel())
    assert not torch.equal(problem.a.detach(), before)


def test_the_hypergradient_is_that_of_the_steps_just_taken() -> None:
    problem = Quadratic(0)
    expected, before = problem.one_step_hypergradient(), problem.a.clone()
    run(problem, engine_for(problem.trilevel()), 1)
    found = (before - problem.a.detach()) / UPPER_LR
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_the_hypergradient_of_networks_matches_exact_unrolling() -> None:
    problem = tiny_networks(0)
    (expected,), (before,) = unroll(problem), [p.detach().clone() for p in problem.upper]
    engine_for(problem).iterate(0, problem)
    found = (before - problem.upper[0].detach()) / UPPER_LR
    assert (found - expected).norm() < 1e-2 * expected.norm()


def weight_in(memory_format: torch.memory_format) -> torch.nn.Parameter:
    torch.manual_seed(0)
    return torch.nn.Parameter(torch.randn(4, 3, 2, 2).contiguous(memory_format=memory_format))


def fused_level(weight: torch.nn.Parameter) -> Level:
    return Level([weight], torch.optim.Adam([weight], 0.1, fused=True))


def test_fused_steps_do_not_depend_on_strides_of_gradient_weight_and_state() -> None:
    gradients = torch.randn(2, 4, 3, 2, 2)
    formats = (torch.contiguous_format, torch.channels_last, torch.contiguous_format)
    weights = [weight_in(each) for each in formats]
    levels = [fused_level(weight) for weight in weights]
    for level in levels:
        level.apply_gradients([gradients[0]])
    weights[2].data = weights[2].data.contiguous(memory_format=torch.channels_last)
    levels[2].match_state_strides()
    for level in levels:
        level.apply_gradients([gradients[1]])
    assert torch.equal(weights[0], weights[1]) and torch.equal(weights[0], weights[2])


def test_gradients_are_clipped_to_the_norm_of_all_parameters_together() -> None:
    parameters = [torch.zeros(1), torch.zeros(1)]
    level = Level(parameters, torch.optim.SGD(parameters, 1.0), max_norm=1.0)
    level.apply_gradients([torch.tensor([3.0]), torch.tensor([4.0])])
    torch.testing.assert_close([float(each) for each in parameters], [-0.6, -0.8])
    level.apply_gradients([torch.tensor([0.3]), torch.tensor([0.4])])
    torch.testing.assert_close([float(each) for each in parameters], [-0.9, -1.2])


def test_the_signal_of_hypergradients_is_their_mean_in_standard_errors() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, -2.0], [2.0, 1.5], [2.5, -1.5]])
    signal, resumed = GradientSignal(), GradientSignal()
    for row in values[:2]:
        signal.update([row[:1], row[1:]])
    resumed.load_state_dict(signal.state_dict())
    for row in values[2:]:
        resumed.update([row[:1], row[1:]])
    expected = values.mean(0) / values.std(0) * 2
    torch.testing.assert_close(torch.tensor(resumed.ratios()), expected)


def test_the_entries_of_upper_level_parameters_have_names() -> None:
    variables = UpperVariables(AugmentationPolicy.for_preset(load_preset("generic-mri")))
    names = variables.names(["weight_logit", "log_strengths"])
    assert names == ["weight", *variables.transforms]
    assert len(variables.log_strengths) == len(names) - 1
