"""Hypergradients against closed forms and against exact unrolling."""

from __future__ import annotations

import pytest
import torch
from multilevel_problems import Quadratic, tiny_networks

from GenSegLib.multilevel import Trilevel, adam_steps, finite_difference, neumann, unroll

EXACT, DIFFERENCE = 1e-3, 1e-2


def relative_error(found: list[torch.Tensor], answer: torch.Tensor) -> float:
    return float((found[0] - answer).norm() / answer.norm())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("w_path", [False, True], ids=["bilevel", "trilevel"])
class TestQuadraticProblems:
    def test_unrolling_one_step_is_exact(self, seed: int, w_path: bool) -> None:
        problem = Quadratic(seed, w_path)
        assert relative_error(unroll(problem.trilevel()), problem.one_step_answer()) < EXACT

    def test_finite_differences_meet_the_one_step_answer(self, seed: int, w_path: bool) -> None:
        problem = Quadratic(seed, w_path)
        found = finite_difference(problem.trilevel())
        assert relative_error(found, problem.one_step_answer()) < DIFFERENCE

    def test_unrolling_many_steps_reaches_the_implicit_answer(
        self, seed: int, w_path: bool
    ) -> None:
        problem = Quadratic(seed, w_path)
        problem.solve_lower_problems()
        found = unroll(problem.trilevel(), steps=60)
        assert relative_error(found, problem.implicit_answer()) < EXACT

    def test_the_neumann_series_reaches_the_implicit_answer(self, seed: int, w_path: bool) -> None:
        problem = Quadratic(seed, w_path)
        problem.solve_lower_problems()
        found = neumann(problem.trilevel(), terms=60)
        assert relative_error(found, problem.implicit_answer()) < EXACT


@pytest.mark.parametrize("seed", range(3))
def test_finite_differences_meet_exact_unrolling_on_networks(seed: int) -> None:
    problem = tiny_networks(seed)
    assert relative_error(finite_difference(problem), unroll(problem)[0]) < DIFFERENCE


def test_both_paths_from_the_upper_level_count() -> None:
    problem = Quadratic(0).trilevel()
    whole = finite_difference(problem)[0]
    without_lower = finite_difference(problem, lower_path=False)[0]
    without_direct = finite_difference(problem, direct_path=False)[0]
    neither = finite_difference(problem, lower_path=False, direct_path=False)[0]
    assert not torch.allclose(whole, without_lower)
    assert not torch.allclose(whole, without_direct)
    torch.testing.assert_close(whole - without_lower, without_direct - neither)


def test_a_lower_path_that_is_zero_leaves_the_direct_path_alone() -> None:
    problem = Quadratic(0, w_path=False).trilevel()
    found = finite_difference(problem)[0]
    torch.testing.assert_close(found, finite_difference(problem, lower_path=False)[0])


def test_the_parameters_are_left_as_they_were() -> None:
    problem = tiny_networks(0)
    before = [p.detach().clone() for p in [*problem.lower, *problem.middle, *problem.upper]]
    for method in (finite_difference, unroll, neumann):
        method(problem)
    after = [*problem.lower, *problem.middle, *problem.upper]
    assert all(torch.equal(a, b) for a, b in zip(before, after))


def test_rates_may_differ_for_each_weight() -> None:
    quadratic = Quadratic(1)
    plain = quadratic.trilevel()
    rates = Trilevel(
        **{
            **vars(plain),
            "lower_rate": [torch.full_like(quadratic.w, plain.lower_rate)],
            "middle_rate": [torch.full_like(quadratic.s, plain.middle_rate)],
        }
    )
    for method in (finite_difference, unroll, neumann):
        torch.testing.assert_close(method(rates), method(plain))


def test_adam_steps_are_what_adam_takes_for_its_usual_gradient() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    for _ in range(50):
        weight.grad = torch.tensor([3.0, 0.5])
        before = weight.detach().clone()
        optimizer.step()
    steps = adam_steps(optimizer)[0]
    torch.testing.assert_close(steps * torch.tensor([3.0, 0.5]), before - weight.detach())


def test_weights_that_no_gradient_has_reached_take_the_plain_rate() -> None:
    """A generator that begins with no residual has such weights behind its last layer."""
    weight = torch.nn.Parameter(torch.ones(4))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    weight.grad = torch.zeros(4)
    optimizer.step()
    torch.testing.assert_close(adam_steps(optimizer)[0], torch.full((4,), 0.1))
