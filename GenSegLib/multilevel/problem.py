"""Three nested optimization problems as pure functions of their parameters.

    lower    W*(a) = argmin_W  lower_loss(W, a)
    middle   S*(a) = argmin_S  middle_loss(S, generate(W*(a), a))
    upper    min_a             upper_loss(S*(a), a)

The generated batch is the only input of the middle problem that depends on W and a, so that a
hypergradient differentiates through `generate` once instead of once per loss evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from .vectors import StepSizes, Tensors


@dataclass(frozen=True)
class TrilevelProblem:
    """The losses of the three levels on fixed batches, and the current parameters.

    The losses must be deterministic, since finite differences subtract two evaluations.

    Attributes:
        lower, middle, upper: the parameters W, S and a.
        lower_loss: maps (W, a) to a scalar.
        generate: maps (W, a) to the generated batch, a list of tensors.
        middle_loss: maps (S, generated batch) to a scalar.
        upper_loss: maps (S, a) to a scalar.
        lower_step_size, middle_step_size: optimizer step per unit gradient with which W and S
            respond to a: a scalar, or one tensor per parameter for adaptive optimizers.
        split_middle_loss: equals `middle_loss`, but cheaper to differentiate with respect to the
            generated batch alone; None if there is no such form.
    """

    lower: Tensors
    middle: Tensors
    upper: Tensors
    lower_loss: Callable[[Tensors, Tensors], torch.Tensor]
    generate: Callable[[Tensors, Tensors], list[torch.Tensor]]
    middle_loss: Callable[[Tensors, Tensors], torch.Tensor]
    upper_loss: Callable[[Tensors, Tensors], torch.Tensor]
    lower_step_size: StepSizes
    middle_step_size: StepSizes
    split_middle_loss: Callable[[Tensors, Tensors], torch.Tensor] | None = None

    def snapshot(self) -> TrilevelProblem:
        """Return the problem with copies of W and S, which later optimizer steps do not change."""
        lower, middle = ([p.detach().clone() for p in side] for side in (self.lower, self.middle))
        return replace(self, lower=lower, middle=middle)

    def middle_loss_of_generated(self, middle: Tensors, generated: Tensors) -> torch.Tensor:
        """Return the middle loss in its cheapest form to differentiate by the generated batch."""
        return (self.split_middle_loss or self.middle_loss)(middle, generated)
