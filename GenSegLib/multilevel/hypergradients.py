"""d upper_loss / d a through both lower problems, by three methods behind one interface.

All share one formula. With v the upper gradient at the middle problem's answer S,

    p   = (dS/d grad) v                       one optimizer step: rate * v; Neumann: H_S^-1 v
    q   = d/dW <grad_S middle, p>             how W moves the segmenter's step
    p_W = the same map of q in the lower problem
    hypergradient = d upper/da - d/da <grad_S middle, p> + d/da <grad_W lower, p_W>

The second term is the direct path (a acts in the middle loss itself), the third the path through
the lower weights W. Finite differences (Liu et al., DARTS, ICLR 2019) replace each derivative of
an inner product by a central difference, so that no second-order graph is built; the Neumann series
(Lorraine et al., AISTATS 2020) gives the implicit derivative at convergence; unrolling
differentiates through k steps of both problems and is exact for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from .levels import (
    Rates,
    Tensors,
    Trilevel,
    gradient,
    inner,
    moved,
    norm,
    pulled_back,
    scaled,
    tracked,
)

Hypergradient = Callable[..., list[torch.Tensor]]
Loss = Callable[[Tensors], torch.Tensor]


@dataclass(frozen=True)
class Reached:
    """Both lower problems after a step of each, and the bridge between them with its graph."""

    lower: Tensors
    middle: Tensors
    upper: Tensors
    bridge: Tensors


def finite_difference(
    problem: Trilevel,
    reached: Reached | None = None,
    *,
    size: float = 1e-2,
    lower_path: bool = True,
    direct_path: bool = True,
) -> list[torch.Tensor]:
    """Return the one-step hypergradient by central differences.

    Args:
        problem: the three losses, and where the lower problems stand before a step.
        reached: where the step has led them, which the hypergradient then looks back through; None
            to look ahead through a step of each, which costs as much as taking it.
        size: norm of the perturbation as a share of the parameters' own norm; 1e-2 is large
            enough for bfloat16 and small enough for networks (``Testing/Benchmarks``).
        lower_path: count the path through the lower weights.
        direct_path: count the path through the middle loss itself.
    """
    reached = reached or _look_ahead(problem)
    lower, upper = reached.lower, reached.upper
    middle = tracked(reached.middle)
    found = gradient(problem.upper_loss(middle, upper), [*middle, *upper])
    pull = scaled(found[: len(middle)], problem.middle_rate)
    total = found[len(middle) :]

    crossing = [tensor.detach() for tensor in reached.bridge]
    across = _difference(problem.crossing_loss, problem.middle, pull, crossing, size)
    through = pulled_back(reached.bridge, across, [*lower, *upper])
    if direct_path:
        total = moved(total, through[len(lower) :], -1.0)
    if lower_path:
        lower_pull = scaled(through[: len(lower)], problem.lower_rate)
        total = moved(
            total, _difference(problem.lower_loss, problem.lower, lower_pull, upper, size), 1.0
        )
    return total


def _look_ahead(problem: Trilevel) -> Reached:
    upper, lower_now, middle_now = tracked(problem.upper), problem.lower, problem.middle
    lower_gradient = _gradient_at(lambda w: problem.lower_loss(w, upper), lower_now)
    lower = tracked(moved(lower_now, scaled(lower_gradient, problem.lower_rate), -1.0))
    bridge = problem.bridge(lower, upper)
    crossing = [tensor.detach() for tensor in bridge]
    middle_gradient = _gradient_at(lambda s: problem.middle_loss(s, crossing), middle_now)
    middle = moved(middle_now, scaled(middle_gradient, problem.middle_rate), -1.0)
    return Reached(lower, middle, upper, bridge)


def _gradient_at(loss: Loss, parameters: Tensors) -> list[torch.Tensor]:
    at = tracked(parameters)
    return gradient(loss(at), at)


def _difference(
    loss: Callable[[Tensors, Tensors], torch.Tensor],
    parameters: Tensors,
    vector: Tensors,
    wrt: Tensors,
    size: float,
) -> list[torch.Tensor]:
    """Return d/d wrt <grad_parameters loss, vector> by a central difference along the vector."""
    length = norm(vector)
    if length == 0.0 or not math.isfinite(length):  # no direction to go along
        return [torch.zeros_like(tensor) for tensor in wrt]
    step = size * max(norm(parameters), 1e-6) / length
    sides = []
    for sign in (1.0, -1.0):
        at = tracked(wrt)
        sides.append(gradient(loss(moved(parameters, vector, sign * step), at), at))
    return scaled(moved(sides[0], sides[1], -1.0), 0.5 / step)


def unroll(problem: Trilevel, *, steps: int = 1) -> list[torch.Tensor]:
    """Return the exact hypergradient of ``steps`` gradient steps of both lower problems."""
    upper = tracked(problem.upper)
    lower: Tensors = tracked(problem.lower)
    middle: Tensors = tracked(problem.middle)
    for _ in range(steps):
        lower_loss = problem.lower_loss(lower, upper)
        lower = _stepped(lower, lower_loss, problem.lower_rate)
        middle_loss = problem.middle_loss(middle, problem.bridge(lower, upper))
        middle = _stepped(middle, middle_loss, problem.middle_rate)
    return gradient(problem.upper_loss(middle, upper), upper)


def _stepped(parameters: Tensors, loss: torch.Tensor, rate: Rates) -> list[torch.Tensor]:
    slope = gradient(loss, parameters, create_graph=True)
    return list(torch._foreach_sub(list(parameters), scaled(slope, rate)))


def neumann(problem: Trilevel, *, terms: int = 10) -> list[torch.Tensor]:
    """Return the implicit hypergradient at the lower problems' present answers.

    The inverse Hessians are approximated by ``terms`` terms of the series
    rate * sum (I - rate H)^k, which converges where rate * H has eigenvalues in (0, 2).
    """
    upper, lower, middle = (tracked(x) for x in (problem.upper, problem.lower, problem.middle))
    upper_gradient = gradient(problem.upper_loss(middle, upper), [*middle, *upper])
    total = upper_gradient[len(middle) :]

    middle_loss = problem.middle_loss(middle, problem.bridge(lower, upper))
    middle_slope = gradient(middle_loss, middle, create_graph=True)
    pull = _series(middle_slope, middle, upper_gradient[: len(middle)], problem.middle_rate, terms)
    through = gradient(inner(middle_slope, pull), [*lower, *upper])
    total = moved(total, through[len(lower) :], -1.0)

    lower_slope = gradient(problem.lower_loss(lower, upper), lower, create_graph=True)
    lower_pull = _series(lower_slope, lower, through[: len(lower)], problem.lower_rate, terms)
    return moved(total, gradient(inner(lower_slope, lower_pull), upper), 1.0)


def _series(
    slope: Tensors, parameters: Tensors, vector: Tensors, rate: Rates, terms: int
) -> list[torch.Tensor]:
    term = scaled(vector, rate)
    total = term
    for _ in range(terms - 1):
        bent = _along(slope, parameters, term)
        term = moved(term, scaled(bent, rate), -1.0)
        total = moved(total, term, 1.0)
    return total


def _along(slope: Tensors, parameters: Tensors, vector: Tensors) -> list[torch.Tensor]:
    """Return the Hessian-vector product; the slope's graph is kept for the next one."""
    return list(
        torch.autograd.grad(
            inner(slope, vector),
            list(parameters),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
    )


HYPERGRADIENTS: dict[str, Hypergradient] = {
    "finite-difference": finite_difference,
    "unroll": partial(unroll, steps=1),
    "neumann": partial(neumann, terms=5),
}
