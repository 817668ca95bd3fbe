"""Hypergradients against closed forms and against exact unrolling."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from multilevel_problems import Quadratic, gradient_step, tiny_networks

from GenSegLib.multilevel import (
    HYPERGRADIENTS,
    TrilevelProblem,
    effective_learning_rates,
    finite_difference,
    neumann,
    unroll,
)

EXACT, DIFFERENCE = 1e-3, 1e-2


def by_difference(problem: TrilevelProblem) -> list[torch.Tensor]:
    return finite_difference(problem, gradient_step(problem))


def relative_error(found: list[torch.Tensor], expected: torch.Tensor) -> float:
    return float((found[0] - expected).norm() / expected.norm())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("lower_path", [False, True], ids=["bilevel", "trilevel"])
def test_all_methods_match_the_closed_forms_of_quadratic_problems(
    seed: int, lower_path: bool
) -> None:
    problem = Quadratic(seed, lower_path)
    one_step = problem.one_step_hypergradient()
    assert relative_error(unroll(problem.trilevel()), one_step) < EXACT
    assert relative_error(by_difference(problem.trilevel()), one_step) < DIFFERENCE
    problem.solve_lower_problems()
    implicit = problem.implicit_hypergradient()
    assert relative_error(unroll(problem.trilevel(), steps=60), implicit) < EXACT
    assert relative_error(neumann(problem.trilevel(), terms=60), implicit) < EXACT


@pytest.mark.parametrize("seed", range(3))
def test_finite_differences_match_exact_unrolling_of_networks(seed: int) -> None:
    problem = tiny_networks(seed)
    assert relative_error(by_difference(problem), unroll(problem)[0]) < DIFFERENCE


@pytest.mark.parametrize("name", HYPERGRADIENTS)
def test_parameters_are_unchanged(name: str) -> None:
    problem = tiny_networks(0)
    parameters = [*problem.lower, *problem.middle, *problem.upper]
    before = [p.detach().clone() for p in parameters]
    HYPERGRADIENTS[name](problem, gradient_step(problem))
    assert all(map(torch.equal, before, parameters))


@pytest.mark.parametrize("name", HYPERGRADIENTS)
def test_step_sizes_may_be_tensors(name: str) -> None:
    quadratic = Quadratic(1)
    problem = quadratic.trilevel()
    by_tensor = replace(
        problem,
        lower_step_size=[torch.full_like(quadratic.w, problem.lower_step_size)],
        middle_step_size=[torch.full_like(quadratic.s, problem.middle_step_size)],
    )
    found, expected = (
        HYPERGRADIENTS[name](each, gradient_step(each)) for each in (by_tensor, problem)
    )
    torch.testing.assert_close(found, expected)


def test_effective_learning_rates_are_the_steps_of_adam_per_unit_gradient() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    gradient = torch.tensor([3.0, 0.5])
    for _ in range(50):
        weight.grad = gradient.clone()
        before = weight.detach().clone()
        optimizer.step()
    rates = effective_learning_rates(optimizer)[0]
    torch.testing.assert_close(rates * gradient, before - weight.detach())


def test_weights_without_gradient_history_have_the_plain_learning_rate() -> None:
    """A generator with zero-initialized residual has such weights before its last layer."""
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    weight.grad = torch.zeros(4)
    optimizer.step()
    torch.testing.assert_close(effective_learning_rates(optimizer)[0], torch.full((4,), 0.1))
