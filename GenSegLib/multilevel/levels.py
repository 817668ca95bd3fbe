"""Three nested problems, as pure functions of their parameters.

    lower    W*(a) = argmin_W  lower_loss(W, a)
    middle   S*(a) = argmin_S  middle_loss(S, bridge(W*(a), a))
    upper    min_a             upper_loss(S*(a), a)

The bridge is all that the middle problem takes from below: in GenSeg the generated images and
their weight. Naming it lets a hypergradient cross it once instead of once an evaluation.

In GenSeg W are the generator's weights, S the segmenter's, a the architecture weights and the other
upper-level variables; but nothing here knows that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Union

import torch

Tensors = Sequence[torch.Tensor]
Rates = Union[float, Tensors]

_LEAST_SPREAD = 0.05


@dataclass(frozen=True)
class Trilevel:
    """The three losses on batches that stay the same over repeated calls, and where they stand.

    The losses must be deterministic: a finite difference subtracts two evaluations.

    Attributes:
        lower, middle, upper: the parameters W, S and a.
        lower_loss: maps (W, a) to a scalar.
        bridge: maps (W, a) to a list of tensors.
        middle_loss: maps (S, the bridge's tensors) to a scalar.
        upper_loss: maps (S, a) to a scalar.
        lower_rate, middle_rate: the step of the optimizer, one number or one tensor a parameter
            (an adaptive optimizer's own steps), with which each problem's answer follows a.
        crossing_part: the part of the middle loss that the bridge enters, where that is cheaper.
    """

    lower: Tensors
    middle: Tensors
    upper: Tensors
    lower_loss: Callable[[Tensors, Tensors], torch.Tensor]
    bridge: Callable[[Tensors, Tensors], list[torch.Tensor]]
    middle_loss: Callable[[Tensors, Tensors], torch.Tensor]
    upper_loss: Callable[[Tensors, Tensors], torch.Tensor]
    lower_rate: Rates
    middle_rate: Rates
    crossing_part: Callable[[Tensors, Tensors], torch.Tensor] | None = None

    def copied(self) -> Trilevel:
        """Return the same problem where it stands now, wherever its parameters go from here."""
        lower, middle = ([p.detach().clone() for p in side] for side in (self.lower, self.middle))
        return replace(self, lower=lower, middle=middle)

    def crossing_loss(self, middle: Tensors, bridge: Tensors) -> torch.Tensor:
        """Return the part of the middle loss that the bridge enters, or all of it."""
        return (self.crossing_part or self.middle_loss)(middle, bridge)


def scaled(vectors: Tensors, rate: Rates) -> list[torch.Tensor]:
    """Return each vector times the rate, or times its own tensor of rates."""
    if isinstance(rate, (float, int)):
        return list(torch._foreach_mul(list(vectors), rate))
    return list(torch._foreach_mul(list(vectors), list(rate)))


def moved(parameters: Tensors, direction: Tensors, by: float) -> list[torch.Tensor]:
    """Return parameters + by * direction, detached."""
    origin = [tensor.detach() for tensor in parameters]
    return list(torch._foreach_add(origin, list(direction), alpha=by))


def gradient(
    loss: torch.Tensor, parameters: Tensors, *, create_graph: bool = False
) -> list[torch.Tensor]:
    """Return the gradients, zeros for parameters on which the loss does not depend."""
    return pulled_back([loss], [torch.ones_like(loss)], parameters, create_graph=create_graph)


def pulled_back(
    outputs: Tensors, vectors: Tensors, parameters: Tensors, *, create_graph: bool = False
) -> list[torch.Tensor]:
    """Return the gradients of the outputs' inner product with the vectors."""
    kept = [(out, vec) for out, vec in zip(outputs, vectors) if out.requires_grad]
    if not kept:
        return [torch.zeros_like(tensor) for tensor in parameters]
    tracked_outputs, their_vectors = zip(*kept)
    return list(
        torch.autograd.grad(
            tracked_outputs,
            list(parameters),
            their_vectors,
            create_graph=create_graph,
            retain_graph=create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
    )


def tracked(parameters: Tensors) -> list[torch.Tensor]:
    """Return detached copies-by-reference that gradients can be taken to."""
    return [tensor.detach().requires_grad_(True) for tensor in parameters]


def lying_as(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the tensor laid out in memory as another one of its shape.

    Fused optimizers go through memory as it lies. Where a gradient's strides are not its weight's,
    they refuse on CUDA (pytorch/pytorch issue 106951), and move other weights on a CPU (2.13).
    """
    return tensor if tensor.stride() == like.stride() else torch.empty_like(like).copy_(tensor)


def inner(first: Tensors, second: Tensors) -> torch.Tensor:
    """Return the inner product of two lists of tensors."""
    return torch.stack([(a * b).sum() for a, b in zip(first, second)]).sum()


def norm(vectors: Tensors) -> float:
    """Return the Euclidean norm of a list of tensors taken as one vector."""
    lengths = torch._foreach_norm([vector.detach() for vector in vectors])
    return float(torch.linalg.vector_norm(torch.stack(lengths)))


def adam_steps(optimizer: torch.optim.Optimizer) -> Rates:
    """Return the step that Adam takes for a unit gradient, one tensor a parameter.

    An adaptive optimizer moves each weight by its own rate; a hypergradient that ignores it
    follows another problem than the one that is solved (Choe et al., SAMA, NeurIPS 2023). Before
    the optimizer's first step it is the plain rate. Weights whose gradient has hardly been seen
    yet are not let take steps far beyond those of their neighbors; where none of a tensor's has
    been, it takes the plain rate.
    """
    steps: list[torch.Tensor] = []
    for group in optimizer.param_groups:
        parameters = group["params"]
        if any(each in optimizer.state for each in parameters):
            steps += _steps_so_far(group, [optimizer.state[each] for each in parameters])
        else:
            steps += [torch.full_like(each, group["lr"]).detach() for each in parameters]
    return steps


def _steps_so_far(group: dict[str, Any], states: Sequence[dict[str, Any]]) -> list[torch.Tensor]:
    """Return the steps of parameters that are always moved together, as a level's are."""
    correction = 1 - group["betas"][1] ** float(states[0]["step"])
    spreads = list(torch._foreach_div([state["exp_avg_sq"] for state in states], correction))
    torch._foreach_sqrt_(spreads)
    norms = torch._foreach_norm(spreads)
    torch._foreach_add_(spreads, group["eps"])
    least = [_LEAST_SPREAD / math.sqrt(each.numel()) for each in spreads]
    for spread, length, bound in zip(spreads, norms, torch._foreach_mul(norms, least)):
        spread.clamp_min_(torch.where(length > 0, bound, 1.0))
    torch._foreach_reciprocal_(spreads)
    torch._foreach_mul_(spreads, group["lr"])
    return spreads
