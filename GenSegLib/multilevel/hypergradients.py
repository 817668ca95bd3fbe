"""Hypergradients d upper_loss / d a through the middle and lower problems, by three methods.

With v the gradient of the upper loss at the solution S of the middle problem, all methods compute

    p   = P_S v                               response of S: step size for one optimizer step,
                                              inverse Hessian at convergence
    q   = d/dW <grad_S middle, p>             through the generated batch
    p_W = P_W q                               likewise for the lower problem
    hypergradient = d upper/da - d/da <grad_S middle, p> + d/da <grad_W lower, p_W>

The second term is the direct path (a enters the generated batch itself), the third the path
through the lower weights W. Finite differences (Liu et al., DARTS, ICLR 2019) replace each
derivative of an inner product by a central difference, so that no second-order graph is built. The
Neumann series (Lorraine et al., AISTATS 2020) approximates the implicit derivative at convergence.
Unrolling differentiates through k gradient steps of both problems and is exact for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .problem import TrilevelProblem
from .vectors import (
    StepSizes,
    Tensors,
    add_scaled,
    global_norm,
    gradient,
    inner_product,
    leaves,
    scale,
    vector_jacobian_product,
)


@dataclass(frozen=True)
class StepResult:
    """Parameters after one step of the lower and middle levels; the generated batch has a graph."""

    lower: Tensors
    middle: Tensors
    upper: Tensors
    generated: Tensors


Hypergradient = Callable[[TrilevelProblem, StepResult], list[torch.Tensor]]
"""From the problem before a step and the result of the step to the hypergradient."""


def finite_difference(
    problem: TrilevelProblem, after: StepResult, *, size: float = 1e-2
) -> list[torch.Tensor]:
    """Return the hypergradient of one gradient step of both problems by central differences.

    Args:
        problem: the losses, with the parameters before the step.
        after: the result of the step, whose forward passes are not repeated.
        size: norm of the perturbation relative to that of the parameters; 1e-2 is large enough for
            bfloat16 and small enough for networks (``Docs/Results.md``).
    """
    lower, upper = after.lower, after.upper
    middle = leaves(after.middle)
    upper_gradient = gradient(problem.upper_loss(middle, upper), [*middle, *upper])
    response = scale(upper_gradient[: len(middle)], problem.middle_step_size)
    total = upper_gradient[len(middle) :]

    fixed = [tensor.detach() for tensor in after.generated]
    by_generated = _central_difference(
        problem.middle_loss_of_generated, problem.middle, response, fixed, size
    )
    by_both = vector_jacobian_product(after.generated, by_generated, [*lower, *upper])
    total = add_scaled(total, by_both[len(lower) :], -1.0)
    lower_response = scale(by_both[: len(lower)], problem.lower_step_size)
    by_upper = _central_difference(problem.lower_loss, problem.lower, lower_response, upper, size)
    return add_scaled(total, by_upper, 1.0)


def _central_difference(
    loss: Callable[[Tensors, Tensors], torch.Tensor],
    parameters: Tensors,
    vector: Tensors,
    wrt: Tensors,
    size: float,
) -> list[torch.Tensor]:
    """Return d/d wrt <grad_parameters loss, vector> by a central difference along the vector."""
    length = global_norm(vector)
    if length == 0.0 or not math.isfinite(length):
        return [torch.zeros_like(tensor) for tensor in wrt]
    step = size * max(global_norm(parameters), 1e-6) / length
    plus, minus = (
        gradient(loss(add_scaled(parameters, vector, sign * step), at), at)
        for sign, at in ((1.0, leaves(wrt)), (-1.0, leaves(wrt)))
    )
    return scale(add_scaled(plus, minus, -1.0), 0.5 / step)


def unroll(problem: TrilevelProblem, *, steps: int = 1) -> list[torch.Tensor]:
    """Return the exact hypergradient of ``steps`` gradient steps of both problems."""
    upper = leaves(problem.upper)
    lower: Tensors = leaves(problem.lower)
    middle: Tensors = leaves(problem.middle)
    for _ in range(steps):
        lower_loss = problem.lower_loss(lower, upper)
        lower = _differentiable_step(lower, lower_loss, problem.lower_step_size)
        middle_loss = problem.middle_loss(middle, problem.generate(lower, upper))
        middle = _differentiable_step(middle, middle_loss, problem.middle_step_size)
    return gradient(problem.upper_loss(middle, upper), upper)


def _differentiable_step(
    parameters: Tensors, loss: torch.Tensor, step_size: StepSizes
) -> list[torch.Tensor]:
    grad = gradient(loss, parameters, create_graph=True)
    return list(torch._foreach_sub(list(parameters), scale(grad, step_size)))


def neumann(problem: TrilevelProblem, *, terms: int = 10) -> list[torch.Tensor]:
    """Return the implicit hypergradient at the current parameters of both problems.

    The inverse Hessians are approximated by ``terms`` terms of the series
    step_size * sum (I - step_size H)^k, which converges if the eigenvalues of step_size * H lie in
    (0, 2).
    """
    upper, lower, middle = (leaves(x) for x in (problem.upper, problem.lower, problem.middle))
    upper_gradient = gradient(problem.upper_loss(middle, upper), [*middle, *upper])
    total = upper_gradient[len(middle) :]

    middle_loss = problem.middle_loss(middle, problem.generate(lower, upper))
    middle_grad = gradient(middle_loss, middle, create_graph=True)
    vector, step_size = upper_gradient[: len(middle)], problem.middle_step_size
    response = _inverse_hessian_product(middle_grad, middle, vector, step_size, terms)
    by_both = gradient(inner_product(middle_grad, response), [*lower, *upper])
    total = add_scaled(total, by_both[len(lower) :], -1.0)

    lower_grad = gradient(problem.lower_loss(lower, upper), lower, create_graph=True)
    vector, step_size = by_both[: len(lower)], problem.lower_step_size
    response = _inverse_hessian_product(lower_grad, lower, vector, step_size, terms)
    return add_scaled(total, gradient(inner_product(lower_grad, response), upper), 1.0)


def _inverse_hessian_product(
    grad: Tensors, parameters: Tensors, vector: Tensors, step_size: StepSizes, terms: int
) -> list[torch.Tensor]:
    term = scale(vector, step_size)
    total = term
    for _ in range(terms - 1):
        product = _hessian_product(grad, parameters, term)
        term = add_scaled(term, scale(product, step_size), -1.0)
        total = add_scaled(total, term, 1.0)
    return total


def _hessian_product(grad: Tensors, parameters: Tensors, vector: Tensors) -> list[torch.Tensor]:
    """Return the Hessian-vector product and keep the graph of the gradient for the next one."""
    return list(
        torch.autograd.grad(
            inner_product(grad, vector),
            list(parameters),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
    )


HYPERGRADIENTS: dict[str, Hypergradient] = {
    "finite-difference": finite_difference,
    "unroll": lambda before, after: unroll(before),
    "neumann": lambda before, after: neumann(before, terms=5),
}
