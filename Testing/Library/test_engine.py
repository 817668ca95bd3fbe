"""The engine solves nested problems whose answer is known."""

from __future__ import annotations

import torch
from multilevel_problems import Quadratic

from GenSegLib.multilevel import Engine, Level, finite_difference


def engine_for(problem: Quadratic, *, hypergradient: bool, upper_every: int = 1) -> Engine:
    def level(parameter: torch.Tensor, rate: float) -> Level:
        return Level([parameter], torch.optim.SGD([parameter], rate))

    return Engine(
        lower=level(problem.w, 0.3),
        middle=level(problem.s, 0.2),
        upper=level(problem.a, 0.02),
        hypergradient=finite_difference if hypergradient else None,
        upper_every=upper_every,
    )


def run(problem: Quadratic, engine: Engine, iterations: int) -> None:
    for parameter in (problem.w, problem.s, problem.a):
        parameter.requires_grad_(True)
    for step in range(iterations):
        engine.iterate(step, problem.trilevel())


def test_without_a_hypergradient_the_upper_level_stays() -> None:
    problem = Quadratic(0)
    before = problem.a.clone()
    run(problem, engine_for(problem, hypergradient=False), 20)
    assert torch.equal(problem.a, before)


def test_the_lower_problems_reach_their_solutions() -> None:
    problem = Quadratic(0)
    run(problem, engine_for(problem, hypergradient=False), 200)
    found = problem.w.detach(), problem.s.detach()
    with torch.no_grad():
        problem.solve_lower_problems()
    torch.testing.assert_close(found, (problem.w, problem.s), rtol=1e-4, atol=1e-4)


def test_feedback_lowers_the_upper_loss_at_the_lower_problems_solutions() -> None:
    with_feedback, without = Quadratic(0), Quadratic(0)
    run(with_feedback, engine_for(with_feedback, hypergradient=True), 300)
    run(without, engine_for(without, hypergradient=False), 300)
    problems = (with_feedback, without)
    upper = [p.trilevel().upper_loss([p.s], [p.a]).item() for p in problems]
    assert upper[0] < 0.5 * upper[1]


def test_the_upper_level_moves_only_when_it_is_due() -> None:
    problem = Quadratic(0)
    engine = engine_for(problem, hypergradient=True, upper_every=5)
    before = problem.a.clone()
    run(problem, engine, 4)
    assert torch.equal(problem.a.detach(), before)
    engine.iterate(4, problem.trilevel())
    assert not torch.equal(problem.a.detach(), before)
