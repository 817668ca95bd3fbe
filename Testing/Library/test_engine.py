"""The engine solves nested problems whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from multilevel_problems import Quadratic, tiny_networks

from GenSegLib.multilevel import Engine, Level, Trilevel, finite_difference, unroll
from GenSegLib.multilevel.levels import Rates, Tensors

UPPER_RATE = 0.02


def engine_for(
    problem: Trilevel, *, hypergradient: bool, upper_every: int = 1, looks_back: bool = False
) -> Engine:
    def level(parameters: Tensors, rate: Rates) -> Level:
        assert isinstance(rate, float)
        for parameter in parameters:
            parameter.requires_grad_(True)
        return Level(parameters, torch.optim.SGD(parameters, rate))

    return Engine(
        lower=level(problem.lower, problem.lower_rate),
        middle=level(problem.middle, problem.middle_rate),
        upper=level(problem.upper, UPPER_RATE),
        hypergradient=finite_difference if hypergradient else None,
        upper_every=upper_every,
        looks_back=looks_back,
    )


def run(problem: Quadratic, engine: Engine, iterations: int) -> None:
    for step in range(iterations):
        engine.iterate(step, problem.trilevel())


def test_without_a_hypergradient_the_upper_level_stays() -> None:
    problem = Quadratic(0)
    before = problem.a.clone()
    run(problem, engine_for(problem.trilevel(), hypergradient=False), 20)
    assert torch.equal(problem.a, before)


def test_the_lower_problems_reach_their_solutions() -> None:
    problem = Quadratic(0)
    run(problem, engine_for(problem.trilevel(), hypergradient=False), 200)
    found = problem.w.detach(), problem.s.detach()
    with torch.no_grad():
        problem.solve_lower_problems()
    torch.testing.assert_close(found, (problem.w, problem.s), rtol=1e-4, atol=1e-4)


def test_feedback_lowers_the_upper_loss_at_the_lower_problems_solutions() -> None:
    with_feedback, without = Quadratic(0), Quadratic(0)
    run(with_feedback, engine_for(with_feedback.trilevel(), hypergradient=True), 300)
    run(without, engine_for(without.trilevel(), hypergradient=False), 300)
    problems = (with_feedback, without)
    upper = [p.trilevel().upper_loss([p.s], [p.a]).item() for p in problems]
    assert upper[0] < 0.5 * upper[1]


def test_the_upper_level_moves_only_when_it_is_due() -> None:
    problem = Quadratic(0)
    engine = engine_for(problem.trilevel(), hypergradient=True, upper_every=5)
    before = problem.a.clone()
    run(problem, engine, 4)
    assert torch.equal(problem.a.detach(), before)
    engine.iterate(4, problem.trilevel())
    assert not torch.equal(problem.a.detach(), before)


def test_looking_back_is_the_hypergradient_of_the_steps_just_taken() -> None:
    problem = Quadratic(0)
    wanted, before = problem.one_step_answer(), problem.a.clone()
    run(problem, engine_for(problem.trilevel(), hypergradient=True, looks_back=True), 1)
    found = (before - problem.a.detach()) / UPPER_RATE
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


def test_looking_back_on_networks_asks_where_the_step_was_taken() -> None:
    problem = tiny_networks(0)
    (wanted,), (before,) = unroll(problem), [p.detach().clone() for p in problem.upper]
    engine_for(problem, hypergradient=True, looks_back=True).iterate(0, problem)
    found = (before - problem.upper[0].detach()) / UPPER_RATE
    assert (found - wanted).norm() < 1e-2 * wanted.norm()


def test_looking_back_asks_for_three_evaluations_less() -> None:
    def evaluations(*, looks_back: bool) -> int:
        plain, count = Quadratic(0).trilevel(), 0

        def counted(loss: Callable[..., Any]) -> Callable[..., Any]:
            def called(*arguments: Any) -> Any:
                nonlocal count
                count += 1
                return loss(*arguments)

            return called

        names = ("lower_loss", "bridge", "middle_loss", "upper_loss")
        problem_counted = replace(plain, **{n: counted(getattr(plain, n)) for n in names})
        engine = engine_for(plain, hypergradient=True, looks_back=looks_back)
        engine.iterate(0, problem_counted)
        return count

    # a two-level iteration asks for 3, and central differences on both paths for 5 more
    assert evaluations(looks_back=True) == 8
    assert evaluations(looks_back=False) == 11


def weight_lying(memory_format: torch.memory_format) -> torch.nn.Parameter:
    torch.manual_seed(0)
    return torch.nn.Parameter(torch.randn(4, 3, 2, 2).contiguous(memory_format=memory_format))


def fused_level(weight: torch.nn.Parameter) -> Level:
    return Level([weight], torch.optim.Adam([weight], 0.1, fused=True))


def test_a_fused_optimizer_follows_a_gradient_however_it_lies_in_memory() -> None:
    gradient = torch.randn(4, 3, 2, 2)
    weights = [weight_lying(each) for each in (torch.contiguous_format, torch.channels_last)]
    for weight in weights:
        fused_level(weight).follow([gradient])
    assert torch.equal(*weights)


def test_a_fused_optimizer_goes_on_where_weights_lie_in_another_way_now() -> None:
    gradients = torch.randn(2, 4, 3, 2, 2)
    weights = [weight_lying(torch.contiguous_format) for _ in range(2)]
    levels = [fused_level(weight) for weight in weights]
    for level in levels:
        level.follow([gradients[0]])
    weights[1].data = weights[1].data.contiguous(memory_format=torch.channels_last)
    levels[1].lay_state()
    for level in levels:
        level.follow([gradients[1]])
    assert torch.equal(*weights)
