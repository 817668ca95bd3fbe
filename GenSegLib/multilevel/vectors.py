"""Operations on lists of tensors that stand for one parameter vector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Union

import torch

Tensors = Sequence[torch.Tensor]
StepSizes = Union[float, Tensors]

_MIN_RELATIVE_RMS = 0.05


def scale(vectors: Tensors, factor: StepSizes) -> list[torch.Tensor]:
    """Return the vectors times a scalar, or each times its own tensor."""
    factors = factor if isinstance(factor, (float, int)) else list(factor)
    return list(torch._foreach_mul(list(vectors), factors))


def add_scaled(parameters: Tensors, direction: Tensors, factor: float) -> list[torch.Tensor]:
    """Return parameters + factor * direction, detached."""
    origin = [tensor.detach() for tensor in parameters]
    return list(torch._foreach_add(origin, list(direction), alpha=factor))


def gradient(
    loss: torch.Tensor, parameters: Tensors, *, create_graph: bool = False
) -> list[torch.Tensor]:
    """Return the gradient of a scalar; zeros for parameters that it does not depend on."""
    ones = [torch.ones_like(loss)]
    return vector_jacobian_product([loss], ones, parameters, create_graph=create_graph)


def vector_jacobian_product(
    outputs: Tensors, vectors: Tensors, parameters: Tensors, *, create_graph: bool = False
) -> list[torch.Tensor]:
    """Return the gradient of <outputs, vectors>; zeros for parameters without influence."""
    tracked = [(out, vec) for out, vec in zip(outputs, vectors) if out.requires_grad]
    if not tracked:
        return [torch.zeros_like(tensor) for tensor in parameters]
    tracked_outputs, tracked_vectors = zip(*tracked)
    return list(
        torch.autograd.grad(
            tracked_outputs,
            list(parameters),
            tracked_vectors,
            create_graph=create_graph,
            retain_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
    )


def leaves(parameters: Tensors) -> list[torch.Tensor]:
    """Return detached tensors that share memory with the parameters and require gradients."""
    return [tensor.detach().requires_grad_(True) for tensor in parameters]


def match_strides(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the tensor with the strides of another one of its shape.

    Fused optimizers require equal strides of gradients and weights: with different ones they
    raise an error on CUDA (pytorch/pytorch issue 106951) and update wrong elements on CPU (2.13).
    """
    return tensor if tensor.stride() == like.stride() else torch.empty_like(like).copy_(tensor)


def inner_product(first: Tensors, second: Tensors) -> torch.Tensor:
    """Return the inner product of two lists of tensors."""
    return torch.stack([(a * b).sum() for a, b in zip(first, second)]).sum()


def global_norm(vectors: Tensors) -> float:
    """Return the Euclidean norm of a list of tensors taken as one vector."""
    norms = torch._foreach_norm([vector.detach() for vector in vectors])
    return float(torch.linalg.vector_norm(torch.stack(norms)))


def effective_learning_rates(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """Return the step that Adam takes per unit gradient, one tensor per parameter.

    A hypergradient that ignores the preconditioning of an adaptive optimizer differentiates
    another problem than the one being solved (Choe et al., SAMA, NeurIPS 2023). Before the first
    step it is the plain learning rate. The second moment has a lower bound relative to its tensor's
    mean, so that weights with almost no gradient history do not get excessive rates; tensors with
    no gradient history at all get the plain learning rate.
    """
    rates: list[torch.Tensor] = []
    for group in optimizer.param_groups:
        parameters = group["params"]
        if any(each in optimizer.state for each in parameters):
            rates += _preconditioned_rates(group, [optimizer.state[each] for each in parameters])
        else:
            rates += [torch.full_like(each, group["lr"]).detach() for each in parameters]
    return rates


def _preconditioned_rates(
    group: dict[str, Any], states: Sequence[dict[str, Any]]
) -> list[torch.Tensor]:
    """Return lr / (sqrt(second moment) + eps); all parameters have taken the same steps."""
    correction = 1 - group["betas"][1] ** float(states[0]["step"])
    rms = list(torch._foreach_div([state["exp_avg_sq"] for state in states], correction))
    torch._foreach_sqrt_(rms)
    norms = torch._foreach_norm(rms)
    torch._foreach_add_(rms, group["eps"])
    shares = [_MIN_RELATIVE_RMS / math.sqrt(each.numel()) for each in rms]
    for each, length, bound in zip(rms, norms, torch._foreach_mul(norms, shares)):
        each.clamp_min_(torch.where(length > 0, bound, 1.0))
    torch._foreach_reciprocal_(rms)
    torch._foreach_mul_(rms, group["lr"])
    return rms
